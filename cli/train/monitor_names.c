#include "cli/train/monitor_names.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum scope { OF_HOST, OF_RANK, OF_GPU } scope;

static const struct {
    scope scope;
    const char *name;
} columns[LOAD_COLUMNS] = {
    [LOAD_CPU] = {OF_HOST, "cpu_utilization_percentage"},
    [LOAD_MEMORY_MB] = {OF_HOST, "system_memory_usage_megabytes"},
    [LOAD_MEMORY_PERCENT] = {OF_HOST, "system_memory_usage_percentage"},
    [LOAD_DISK_PERCENT] = {OF_HOST, "disk_usage_percentage"},
    [LOAD_DISK_MB] = {OF_HOST, "disk_usage_megabytes"},
    [LOAD_DISK_FREE_MB] = {OF_HOST, "disk_available_megabytes"},
    [LOAD_RECEIVED_MB] = {OF_HOST, "network_receive_megabytes"},
    [LOAD_SENT_MB] = {OF_HOST, "network_transmit_megabytes"},
    [LOAD_PROCESS_CPU] = {OF_RANK, "process_cpu_percentage"},
    [LOAD_PROCESS_MB] = {OF_RANK, "process_memory_megabytes"},
    [LOAD_GPU_MEMORY_PERCENT] = {OF_GPU, "memory_usage_percentage"},
    [LOAD_GPU_MEMORY_MB] = {OF_GPU, "memory_usage_megabytes"},
    [LOAD_GPU_BUSY] = {OF_GPU, "utilization_percentage"},
    [LOAD_GPU_WATTS] = {OF_GPU, "power_usage_watts"},
    [LOAD_GPU_WATTS_PERCENT] = {OF_GPU, "power_usage_percentage"},
};

bool load_tells_host(const load_seat *seats, int rank) {
    for (int r = 0; r < rank; r++)
        if (seats[r].node == seats[rank].node)
            return false;
    return true;
}

bool load_tells_gpu(const load_seat *seats, int rank) {
    for (int r = 0; r < rank; r++)
        if (seats[r].node == seats[rank].node && seats[r].gpu == seats[rank].gpu)
            return false;
    return seats[rank].gpu >= 0;
}

/* A name that another host has too names neither. */
static bool is_taken(const load_seat *seats, int n, int rank) {
    for (int r = 0; r < n; r++)
        if (seats[r].node != seats[rank].node && strcmp(seats[r].node_id, seats[rank].node_id) == 0)
            return true;
    return false;
}

static bool has_one_host(const load_seat *seats, int n) {
    for (int r = 1; r < n; r++)
        if (seats[r].node != seats[0].node)
            return false;
    return true;
}

/* "node_1/"; "" on a single host without a name. A host is called what its first rank says. */
static void name_host(const load_seat *seats, int n, int rank, char out[LOAD_NODE_BYTES + 16]) {
    int first = rank;
    for (int r = rank; r >= 0; r--)
        first = seats[r].node == seats[rank].node ? r : first;
    const char *id = seats[first].node_id;
    const bool is_named = id[0] != '\0' && !is_taken(seats, n, first);
    if (is_named)
        (void)snprintf(out, LOAD_NODE_BYTES + 16, "%s/", id);
    else if (has_one_host(seats, n))
        out[0] = '\0';
    else
        (void)snprintf(out, LOAD_NODE_BYTES + 16, "node_%d/", (int)seats[rank].node);
}

void load_key(const load_seat *seats, int n, int rank, load_column column,
              char out[LOAD_KEY_BYTES]) {
    char host[LOAD_NODE_BYTES + 16];
    const char *name = columns[column].name;
    name_host(seats, n, rank, host);
    if (columns[column].scope == OF_HOST)
        (void)snprintf(out, LOAD_KEY_BYTES, "system/%s%s", host, name);
    else if (columns[column].scope == OF_GPU)
        (void)snprintf(out, LOAD_KEY_BYTES, "system/%sgpu_%d_%s", host, (int)seats[rank].gpu, name);
    else if (n == 1)
        (void)snprintf(out, LOAD_KEY_BYTES, "system/%s", name);
    else
        (void)snprintf(out, LOAD_KEY_BYTES, "system/rank_%d/%s", rank, name);
}

/* Digits that the UI would print and that say nothing. */
static double hundredths(double value) {
    return round(value * 100) / 100;
}

static double percent(double part, double whole) {
    return whole > 0 ? hundredths(100 * part / whole) : NAN;
}

static double megabytes(double bytes) {
    return hundredths(1e-6 * bytes);
}

void load_of_system(const ty_system_reading *first, const ty_system_reading *before,
                    const ty_system_reading *now, double seconds, bool tells_host,
                    double out[LOAD_COLUMNS]) {
    out[LOAD_PROCESS_CPU] = percent(now->process_cpu_s - before->process_cpu_s, seconds);
    out[LOAD_PROCESS_MB] = megabytes(now->process_memory);
    if (!tells_host)
        return;
    out[LOAD_CPU] = hundredths(ty_system_cpu_percent(before, now));
    out[LOAD_MEMORY_MB] = megabytes(now->memory_used);
    out[LOAD_MEMORY_PERCENT] = percent(now->memory_used, now->memory_total);
    out[LOAD_DISK_MB] = megabytes(now->disk_used);
    out[LOAD_DISK_FREE_MB] = megabytes(now->disk_free);
    out[LOAD_DISK_PERCENT] = percent(now->disk_used, now->disk_used + now->disk_free);
    out[LOAD_RECEIVED_MB] = megabytes(now->network_received - first->network_received);
    out[LOAD_SENT_MB] = megabytes(now->network_sent - first->network_sent);
}

void load_of_gpu(const ty_nvml_reading *gpu, double out[LOAD_COLUMNS]) {
    out[LOAD_GPU_MEMORY_MB] = megabytes(gpu->memory_used);
    out[LOAD_GPU_MEMORY_PERCENT] = percent(gpu->memory_used, gpu->memory_total);
    out[LOAD_GPU_BUSY] = gpu->busy_percent;
    out[LOAD_GPU_WATTS] = hundredths(gpu->watts);
    out[LOAD_GPU_WATTS_PERCENT] = percent(gpu->watts, gpu->watts_limit);
}
