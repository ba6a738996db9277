/* runs: what is in this folder. One verb a row. */
#include "cli/runs/runs.h"
#include "cli/verbs.h"

static void add_amount(ty_text *out, int64_t n, const char *what, const char *end) {
    char number[32];
    ty_text_addf(out, "%s %s%s%s", console_count(n, number), what, console_plural(n), end);
}

static ty_status rebuild(cli *app, ty_arena *arena) {
    ty_rebuild_report report = {0};
    ty_text out = {0};
    (void)arena;
    TY_TRY(ty_runs_rebuild(&app->ctx, app->folder, &report));
    add_amount(&out, report.runs, "run", " read; added ");
    add_amount(&out, report.runs_added, "run", ", ");
    add_amount(&out, report.points_added, "point", " and ");
    add_amount(&out, report.values_added, "other value", "");
    console_say(&app->console, "%s", ty_text_string(&out));
    ty_text_clear(&out);
    if (report.runs_damaged == 0)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_INTEGRITY,
                   "%lld journal%s damaged and left out; all others are in mlflow.db",
                   (long long)report.runs_damaged, report.runs_damaged == 1 ? " is" : "s are");
}

/* --- the table ---------------------------------------------------------------------------------- */

#define RUN_SAYS                                                                                   \
    "RUN is a run's folder, its name, or its MLflow run id (six digits of it will do).\n"
#define FILTER_SAYS                                                                                \
    "FILTER is MLflow's search grammar:\n"                                                         \
    "  \"metrics.val/loss < 0.3 AND params.optimizer.type = 'adamw' AND status = 'FINISHED'\"\n"   \
    "  metrics.K  = != < <= > >= NUMBER      params.K, tags.K  = != LIKE ILIKE 'TEXT',\n"          \
    "  IS [NOT] NULL      attributes.run_name, .status, .user_id, .start_time (ms), ...\n"         \
    "  dataset.name, .digest, .context      run_id and dataset.* also [NOT] IN ('A', 'B')\n"       \
    "Clauses are joined by AND alone. % in a LIKE is any text, _ one character; ILIKE takes\n"     \
    "a for A. Names, tags and deletions made in MLflow count.\n"
#define GC_SAYS                                                                                    \
    "gc leaves alone what is registered, runs at work, and checkpoints of exported models.\n"
#define REBUILD_SAYS "rebuild only adds: notes, tags and deletions made in MLflow's UI stay.\n"

static const struct {
    verb of;
    ty_status (*run)(cli *app, ty_arena *arena);
} verbs[] = {
    {{"ls", "[FILTER]", "", "the runs that fit, newest first", 0, 1,
      " order columns limit experiment deleted ", FILTER_SAYS},
     runs_list},
    {{"show", "RUN", "", "one run, all of it", 1, 1, "", RUN_SAYS}, runs_show},
    {{"diff", "RUN RUN", "[--all]", "params, tags, data and metrics of two, where they differ", 2,
      2, " all ", RUN_SAYS},
     runs_diff},
    {{"plot", "RUN...", "[--metric KEY]... [--output FILE.svg]",
      "curves, in the terminal or as a picture", 1, ARGS_MAX_OPERANDS - 1, " metric output ",
      RUN_SAYS},
     runs_plot},
    {{"export", "RUN...", "[--output FILE.csv|FILE.jsonl|FOLDER]",
      "params, tags and metrics as CSV or JSON lines", 1, ARGS_MAX_OPERANDS - 1, " output ",
      RUN_SAYS},
     runs_export},
    {{"rm", "RUN...", "[--dry-run] [--yes]", "delete runs as MLflow does: its UI can restore them",
      1, ARGS_MAX_OPERANDS - 1, " dry-run yes server ", RUN_SAYS},
     runs_remove},
    {{"gc", "", "[--dry-run] [--keep-best N] [--older-than 30d]",
      "take off the disk what nobody needs", 0, 0, " dry-run keep-best older-than ",
      "That is: folders of deleted runs, checkpoints neither best nor last, leftovers of broken\n"
      "writes. " GC_SAYS},
     runs_clean},
    {{"rebuild", "", "", "add to mlflow.db what is only in the journals", 0, 0, "", REBUILD_SAYS},
     rebuild},
};
static const verb_table verb_rows = VERB_TABLE(verbs);

static const option_row options[] = {
    {"order", 0, "FIELD", "\"metrics.val/loss ASC\"; again for ties (default: newest first)"},
    {"columns", 0, "LIST", "fields, and state,step,started,took,id,experiment,folder,kind"},
    {"limit", 0, "N", "at most N runs"},
    {"experiment", 0, "NAME", "only this experiment's runs"},
    {"deleted", 0, NULL, "the runs that are deleted in MLflow"},
    {"all", 0, NULL, "also what is the same, and the machine's load"},
    {"metric", 0, "KEY", "this one, again for more (default: val/loss)"},
    {"output", 'o', "FILE", "a plot's FILE.svg; an export's FILE.csv, FILE.jsonl or folder"},
    {"dry-run", 0, NULL, "only show what would go"},
    {"yes", 'y', NULL, "do not ask"},
    {"server", 0, "URI", "also on this MLflow server, http://HOST..."},
    {"keep-best", 0, "N", "only an experiment's N best runs keep their checkpoints"},
    {"older-than", 0, "AGE", "only runs that ended 30d, 12h, 90m or 2w ago"},
    {0}};

static ty_status runs(cli *app) {
    int at;
    TY_TRY(verbs_find(app, &cmd_runs, &at));
    ty_arena arena = {0};
    const ty_status st = verbs[at].run(app, &arena);
    ty_arena_clear(&arena);
    return st;
}

const command cmd_runs = {.name = "runs",
                          .operands = "VERB ...",
                          .summary = "list, compare, draw, export and tidy up runs",
                          .about = RUN_SAYS FILTER_SAYS GC_SAYS REBUILD_SAYS,
                          .options = options,
                          .verbs = &verb_rows,
                          .min_operands = 1,
                          .max_operands = ARGS_MAX_OPERANDS,
                          .run = runs};
