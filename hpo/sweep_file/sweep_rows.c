/* The keys of a sweep file: W&B's schema, and what is ours. */
#include "hpo/sweep_file/sweep_private.h"

#define FIELD(field) offsetof(ty_sweep_file, field)

/* What W&B writes that means nothing here: read, so that its files are read, and named in the log. */
#define UNUSED_TEXT(name, what)                                                                    \
    {                                                                                              \
        .key = (name), .type = TY_ROW_TEXT, .offset = FIELD(unused.text), .fallback = "null",      \
        .effect = TY_EFFECT_DISPLAY, .help = what " (W&B's; means nothing here)"                   \
    }
#define UNUSED_OBJECT(name, what)                                                                  \
    {                                                                                              \
        .key = (name), .type = TY_ROW_OBJECT, .offset = FIELD(unused.object), .fallback = "{}",    \
        .effect = TY_EFFECT_DISPLAY, .help = what " (W&B's; means nothing here)"                   \
    }

static const char *const methods[] = {"bayes", "random", "grid", "custom", NULL};
static const char *const goals[] = {"minimize", "maximize", NULL};
static const char *const values_of[] = {"best", "last", NULL};
const char *const ty_resource_names[] = {"reports", "steps", "epochs", NULL};
static const char *const orders[] = {"window", "replay", "off", NULL};
static const char *const kinds[] = {"sweep", NULL};
static const char *const imputes[] = {"worst", "best", "latest", "false", NULL};

static const ty_row metric_rows_v[] = {
    {.key = "name",
     .type = TY_ROW_TEXT,
     .offset = FIELD(metric.name),
     .fallback = "\"val/loss\"",
     .help = "the metric that decides, as trials report it"},
    {.key = "goal",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(metric.goal),
     .fallback = "\"minimize\"",
     .choices = goals,
     .help = "whether less of it is better, or more"},
    {.key = "target",
     .type = TY_ROW_REAL,
     .offset = FIELD(metric.target),
     .fallback = "null",
     .help = "the sweep is done where a trial reaches it"},
    {.key = "value",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(metric.value_of),
     .fallback = "\"best\"",
     .choices = values_of,
     .help = "which of a trial's reports is its value"},
    {.key = "impute",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(unused.choice),
     .fallback = "\"worst\"",
     .choices = imputes,
     .effect = TY_EFFECT_DISPLAY,
     .help = "(W&B's; means nothing here)"},
    {.key = "impute_while_running",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(unused.choice),
     .fallback = "\"false\"",
     .choices = imputes,
     .effect = TY_EFFECT_DISPLAY,
     .help = "(W&B's; means nothing here)"},
};
static const ty_rows metric_rows = TY_ROWS(metric_rows_v);

static const ty_row resource_rows_v[] = {
    {.key = "ranks_per_trial",
     .type = TY_ROW_INT,
     .offset = FIELD(resources.ranks_per_trial),
     .fallback = "1",
     .min = 1,
     .max = 4096,
     .help = "ranks that train one trial together"},
    {.key = "gpus_per_trial",
     .type = TY_ROW_INT,
     .offset = FIELD(resources.gpus_per_trial),
     .fallback = "0",
     .max = 1024,
     .help = "GPUs that one trial has to itself; 0: none is set apart"},
    {.key = "trials_per_gpu",
     .type = TY_ROW_INT,
     .offset = FIELD(resources.trials_per_gpu),
     .fallback = "1",
     .min = 1,
     .max = 1024,
     .help = "trials that share one GPU"},
    {.key = "max_parallel",
     .type = TY_ROW_INT,
     .offset = FIELD(resources.max_parallel),
     .fallback = "0",
     .max = 4096,
     .help = "trials that run at once, unless -j says; 0: one, or as many as there are ranks for"},
    {.key = "disk",
     .type = TY_ROW_AMOUNT,
     .offset = FIELD(resources.disk),
     .fallback = "\"none\"",
     .units = 1u << TY_UNIT_NONE | 1u << TY_UNIT_BYTES,
     .max = 1e18,
     .min_is_open = true,
     .help = "how much room all checkpoints may take, as in \"20 GB\"; beyond it trials give "
             "theirs up, first those that ended or hardly go on; none: no bound"},
};
static const ty_rows resource_rows = TY_ROWS(resource_rows_v);

static const ty_row stop_rows_v[] = {
    {.key = "max_hours",
     .type = TY_ROW_REAL,
     .offset = FIELD(max_hours),
     .fallback = "null",
     .min_is_open = true,
     .unit = "hours",
     .help = "no trial begins after it"},
    {.key = "max_consecutive_failures",
     .type = TY_ROW_INT,
     .offset = FIELD(max_consecutive_failures),
     .fallback = "10",
     .max = 1 << 20,
     .help = "failed trials in a row that end the sweep; 0: any number"},
};
static const ty_rows stop_rows = TY_ROWS(stop_rows_v);

/* The editor's help within `parameters`; what is read is in sweep_forms.c. */
static const char parameters_schema[] =
    "{\"minProperties\": 1,"
    " \"propertyNames\": {\"pattern\": \"^[A-Za-z_][A-Za-z0-9_.-]*$\"},"
    " \"additionalProperties\": {\"$ref\": \"#/properties/parameters/$defs/parameter\"},"
    " \"$defs\": {\"parameter\": {\"type\": \"object\", \"additionalProperties\": false,"
    "  \"minProperties\": 1, \"properties\": {"
    "   \"distribution\": {\"enum\": [\"constant\", \"categorical\","
    "    \"categorical_w_probabilities\", \"int_uniform\", \"uniform\", \"q_uniform\","
    "    \"log_uniform_values\", \"inv_log_uniform_values\", \"q_log_uniform_values\","
    "    \"log_uniform\", \"inv_log_uniform\", \"q_log_uniform\", \"normal\", \"q_normal\","
    "    \"log_normal\", \"q_log_normal\", \"beta\", \"q_beta\"]},"
    "   \"value\": {},"
    "   \"values\": {\"type\": \"array\", \"minItems\": 1},"
    "   \"probabilities\": {\"type\": \"array\", \"items\": {\"type\": \"number\","
    "    \"minimum\": 0}},"
    "   \"min\": {\"type\": \"number\"}, \"max\": {\"type\": \"number\"},"
    "   \"q\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    "   \"step\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    "   \"log\": {\"type\": \"boolean\"}, \"default\": {},"
    "   \"mu\": {\"type\": \"number\"},"
    "   \"sigma\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    "   \"a\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    "   \"b\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    "   \"parameters\": {\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\":"
    "    {\"$ref\": \"#/properties/parameters/$defs/parameter\"}}}}}}";

/* W&B's name for W&B's rule; ours is in the table of pruners as "wandb". */
static const ty_variant_row early_forms[] = {
    {.type = "hyperband",
     .help = "one bracket of bands, counted in reports",
     .rows = &ty_pruner_wandb_rows,
     .struct_bytes = TY_PRUNER_CONFIG_BYTES},
    {.type = NULL},
};

static const ty_row register_rows_v[] = {
    {.key = "model",
     .type = TY_ROW_TEXT,
     .offset = FIELD(registered.model),
     .fallback = "null",
     .effect = TY_EFFECT_DISPLAY,
     .help = "the registered model that the best trial's becomes a version of; null: of none"},
    {.key = "alias",
     .type = TY_ROW_TEXT,
     .offset = FIELD(registered.alias),
     .fallback = "null",
     .effect = TY_EFFECT_DISPLAY,
     .help = "the alias that moves to that version, as champion"},
};
static const ty_rows register_rows = TY_ROWS(register_rows_v);

static const ty_row sweep_rows_v[] = {
    {.key = "name",
     .type = TY_ROW_TEXT,
     .offset = FIELD(name),
     .fallback = "null",
     .effect = TY_EFFECT_DISPLAY,
     .help = "the sweep's name, and its folder's; else the file's"},
    {.key = "description",
     .type = TY_ROW_TEXT,
     .offset = FIELD(description),
     .fallback = "null",
     .effect = TY_EFFECT_DISPLAY,
     .help = "what it is for"},
    {.key = "config",
     .type = TY_ROW_TEXT,
     .offset = FIELD(config),
     .fallback = "null",
     .help = "the training whose keys are varied; a path beside this file"},
    {.key = "command",
     .type = TY_ROW_LIST,
     .offset = FIELD(command_words),
     .inside = "{\"items\": {\"type\": [\"string\", \"number\", \"boolean\"]}}",
     .fallback = "[]",
     .help = "any other program, word by word, with W&B's macros"},
    {.key = "program",
     .type = TY_ROW_TEXT,
     .offset = FIELD(program),
     .fallback = "null",
     .help = "what ${program} is in command"},
    {.key = "method",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(method),
     .fallback = "\"bayes\"",
     .choices = methods,
     .help = "how it searches; `sampler` says it more exactly. custom: by ask and tell"},
    {.key = "metric", .type = TY_ROW_SECTION, .rows = &metric_rows, .help = "what is searched for"},
    {.key = "parameters",
     .type = TY_ROW_OBJECT,
     .offset = FIELD(parameters),
     .inside = parameters_schema,
     .help = "what is varied, by name; dotted, or nested in another \"parameters\""},
    {.key = "conditions",
     .type = TY_ROW_LIST,
     .offset = FIELD(conditions),
     .fallback = "[]",
     .help = "which parameters play a part only where others have certain values: {\"when\": "
             "{\"optimizer.type\": \"sgd\"}, \"parameters\": [\"optimizer.momentum\"]}"},
    {.key = "constraints",
     .type = TY_ROW_LIST,
     .offset = FIELD(constraints),
     .fallback = "[]",
     .help = "what must hold: \"model.width % model.heads == 0\", or, of a metric, {\"metric\": "
             "\"val/latency\", \"max\": 10}"},
    {.key = "points",
     .type = TY_ROW_LIST,
     .offset = FIELD(points),
     .inside = "{\"items\": {\"type\": \"object\"}}",
     .fallback = "[]",
     .effect = TY_EFFECT_COST,
     .help =
         "points that are tried first, each once: {\"optimizer.learning_rate\": 0.01}; what one "
         "does not say the sampler chooses"},
    {.key = "run_cap",
     .type = TY_ROW_INT,
     .offset = FIELD(run_cap),
     .fallback = "0",
     .max = 1 << 30,
     .unit = "trials",
     .help = "in all, over every start of the sweep; 0: no bound"},
    {.key = "seed",
     .type = TY_ROW_INT,
     .offset = FIELD(seed),
     .fallback = "0",
     .max = 0x1p53,
     .help = "of everything that is drawn"},
    {.key = "sampler",
     .type = TY_ROW_VARIANT,
     .offset = FIELD(sampler),
     .fallback = "null",
     .variants = ty_sampler_variants,
     .help = "what chooses the next point; else as `method` says"},
    {.key = "pruner",
     .type = TY_ROW_VARIANT,
     .offset = FIELD(pruner),
     .fallback = "\"none\"",
     .variants = ty_pruner_variants,
     .help = "what stops a trial early"},
    {.key = "early_terminate",
     .type = TY_ROW_VARIANT,
     .offset = FIELD(early_terminate),
     .fallback = "null",
     .variants = early_forms,
     .help = "W&B's pruner, which `pruner` says as {\"type\": \"wandb\", ...}"},
    {.key = "resource",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(resource),
     .fallback = "\"reports\"",
     .choices = ty_resource_names,
     .help = "what the pruner counts; reports are W&B's iterations"},
    {.key = "max_resource",
     .type = TY_ROW_REAL,
     .offset = FIELD(max_resource),
     .fallback = "null",
     .min_is_open = true,
     .help = "how much of it a whole trial has; null: as the training says"},
    {.key = "reproducible",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(order),
     .fallback = "\"window\"",
     .choices = orders,
     .help = "window: what is decided does not depend on timing; replay: it can be derived again; "
             "off"},
    {.key = "window",
     .type = TY_ROW_INT,
     .offset = FIELD(window),
     .fallback = "8",
     .min = 1,
     .max = 4096,
     .unit = "trials",
     .help = "trial k is chosen from the results of trials 0 to k - window"},
    {.key = "retries",
     .type = TY_ROW_INT,
     .offset = FIELD(retries),
     .fallback = "1",
     .max = 1 << 20,
     .effect = TY_EFFECT_COST,
     .help = "how often a trial that was lost runs again before it has failed"},
    {.key = "stop",
     .type = TY_ROW_SECTION,
     .rows = &stop_rows,
     .effect = TY_EFFECT_COST,
     .help = "what ends the sweep besides run_cap and metric.target"},
    {.key = "resources",
     .type = TY_ROW_SECTION,
     .rows = &resource_rows,
     .effect = TY_EFFECT_COST,
     .help = "what a trial runs on"},
    {.key = "register",
     .type = TY_ROW_SECTION,
     .rows = &register_rows,
     .effect = TY_EFFECT_DISPLAY,
     .help = "what becomes of the best trial's model when the sweep is done"},
    {.key = "warm_start",
     .type = TY_ROW_TEXTS,
     .offset = FIELD(warm_start),
     .fallback = "[]",
     .help = "whose trials are known from the start: a sweep's name or folder, an Optuna journal "
             "(FILE, FILE#STUDY), what `tiltyard runs export` wrote (FILE.jsonl, FILE.csv), "
             "run:NAME for "
             "the runs below a run; read when the sweep begins"},
    UNUSED_TEXT("project", "where the runs are shown"),
    UNUSED_TEXT("entity", "whose they are"),
    UNUSED_TEXT("job", "what is launched"),
    UNUSED_TEXT("image_uri", "what it is launched in"),
    UNUSED_TEXT("apiVersion", "of the file"),
    {.key = "kind",
     .type = TY_ROW_CHOICE,
     .offset = FIELD(unused.choice),
     .fallback = "\"sweep\"",
     .choices = kinds,
     .effect = TY_EFFECT_DISPLAY,
     .help = "of the file (W&B's; means nothing here)"},
    UNUSED_OBJECT("controller", "where it is decided what runs"),
    UNUSED_OBJECT("scheduler", "which engine decides"),
    {.key = "metrics",
     .type = TY_ROW_LIST,
     .offset = FIELD(unused.list),
     .fallback = "[]",
     .effect = TY_EFFECT_DISPLAY,
     .help = "several metrics (W&B's; means nothing here)"},
};
const ty_rows ty_sweep_rows = TY_ROWS(sweep_rows_v);
