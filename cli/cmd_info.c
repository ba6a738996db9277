/* info: what this program is, what it found here. */
#include <stdio.h>
#include <string.h>

#include "cli/facts.h"
#include "kernels/kernels.h"

enum { LIBRARIES_BYTES = 1024 };

/* Every GPU of this process; the reason why there is none in ctx's message. */
static ty_status find_gpu(cli *app, int i, ty_device_found *found) {
    char name[24];
    (void)snprintf(name, sizeof name, "cuda:%d", i);
    return ty_device_find(&app->ctx, &(ty_device_options){.name = name}, found);
}

static void add_gpus(cli *app, ty_text *out) {
    ty_device_found found = {.n_devices = 1};
    char memory[32];
    for (int i = 0; i < found.n_devices; i++) {
        if (find_gpu(app, i, &found) != TY_OK) {
            ty_text_addf(out, "gpu        %s\n", app->ctx.message);
            return;
        }
        ty_text_addf(out, "gpu        %s, %s, %s\n", found.name, found.model,
                     console_bytes((double)found.memory_bytes, memory));
    }
}

static void add_gpus_json(cli *app, ty_text *out) {
    ty_device_found found = {.n_devices = 1};
    ty_text_add(out, ",\n  \"gpus\": [");
    for (int i = 0; i < found.n_devices && find_gpu(app, i, &found) == TY_OK; i++) {
        ty_text_addf(out, "%s{\"name\": \"%s\", \"memory_bytes\": %lld, \"model\": ", i ? ", " : "",
                     found.name, (long long)found.memory_bytes);
        ty_text_add_json(out, found.model);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]");
}

static void add_gpu_libraries(cli *app, ty_text *out) {
    char lines[LIBRARIES_BYTES];
    ty_device_say_libraries(&app->ctx, lines, sizeof lines);
    for (char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1)
        ty_text_addf(out, "           %.*s\n", (int)(end - line), line);
}

static ty_status info(cli *app) {
    facts f;
    ty_device *dev = NULL;
    ty_text out = {0};
    char memory[32];
    facts_read(app, &f);
    TY_TRY(
        ty_device_open(&app->ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &dev));
    if (app->console.is_json) {
        ty_text gpus = {0};
        add_gpus_json(app, &gpus);
        facts_json(&f, ty_text_string(&gpus), &out);
        ty_text_clear(&gpus);
        console_print_json(&app->console, ty_text_string(&out));
    } else {
        ty_text_addf(&out, "tiltyard   %s\nlibraries  %s\n", TY_VERSION_TEXT, f.libraries);
        ty_text_addf(&out, "host       %s, %s\n", f.host, f.kernel);
        ty_text_addf(&out, "cpu        %s, %ld core%s, %s\n", f.cpu, f.cores,
                     console_plural(f.cores), console_bytes((double)f.memory_bytes, memory));
        ty_text_addf(&out, "numerics   %s\n", ty_device_describe(dev)->numeric);
        add_gpus(app, &out);
        add_gpu_libraries(app, &out);
        console_print(&app->console, ty_text_string(&out));
    }
    ty_text_clear(&out);
    ty_device_close(dev);
    return TY_OK;
}

const command cmd_info = {.name = "info",
                          .operands = "",
                          .summary = "version, libraries, processor, devices found",
                          .run = info};
