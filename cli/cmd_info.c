/* info: what this program is, what it found here. */
#include "cli/facts.h"
#include "kernels/kernels.h"

static ty_status info(cli *app) {
    facts f;
    ty_device *dev = NULL;
    ty_text out = {0};
    char memory[32];
    facts_read(app, &f);
    TY_TRY(
        ty_device_open(&app->ctx, &(ty_device_options){.name = "cpu", .max_isa_level = -1}, &dev));
    if (app->console.is_json) {
        facts_json(&f, &out);
        console_print_json(&app->console, ty_text_string(&out));
    } else {
        ty_text_addf(&out, "tiltyard   %s\nlibraries  %s\n", TY_VERSION_TEXT, f.libraries);
        ty_text_addf(&out, "host       %s, %s\n", f.host, f.kernel);
        ty_text_addf(&out, "cpu        %s, %ld core%s, %s\n", f.cpu, f.cores,
                     console_plural(f.cores), console_bytes((double)f.memory_bytes, memory));
        ty_text_addf(&out, "numerics   %s\n", ty_device_describe(dev)->numeric);
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
