/* Configs of rows_fixture.h that are wrong, and what is said of each. The messages are the
 * contract: a change here is a change of what people read. */
#ifndef TY_TESTS_BASE_ROWS_SLIPS_H
#define TY_TESTS_BASE_ROWS_SLIPS_H

typedef struct rows_slip {
    const char *text, *message;
    const char *sets[2];
} rows_slip;

/* clang-format off */
static const rows_slip rows_slips[] = {
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"sead\": 1}",
     "error: c.json:2:2: unknown key \"sead\"\n"
     "    2 |  \"sead\": 1}\n"
     "      |  ^~~~~~ did you mean \"seed\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\n"
     "    \"learnig_rate\": 0.001\n"
     " }}",
     "error: c.json:3:5: unknown key \"optimizer.learnig_rate\"\n"
     "    3 |     \"learnig_rate\": 0.001\n"
     "      |     ^~~~~~~~~~~~~~ did you mean \"learning_rate\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"type\": \"sgd\", \"Learning-Rate\": 1}}",
     "error: c.json:2:31: unknown key \"optimizer.Learning-Rate\"\n"
     "    2 |  \"optimizer\": {\"type\": \"sgd\", \"Learning-Rate\": 1}}\n"
     "      |                               ^~~~~~~~~~~~~~~ did you mean \"learning_rate\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"type\": \"adamw\", \"momentum\": 0.9}}",
     "error: c.json:2:33: unknown key \"optimizer.momentum\"\n"
     "    2 |  \"optimizer\": {\"type\": \"adamw\", \"momentum\": 0.9}}\n"
     "      |                                 ^~~~~~~~~~ \"momentum\" belongs to \"sgd\", and this is \"adamw\"\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"lr\": 0.1}",
     "error: c.json:2:2: unknown key \"lr\"\n"
     "    2 |  \"lr\": 0.1}\n"
     "      |  ^~~~ called \"optimizer.learning_rate\" here\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"batch_size\": 64}",
     "error: c.json:2:2: unknown key \"batch_size\"\n"
     "    2 |  \"batch_size\": 64}\n"
     "      |  ^~~~~~~~~~~~ say global_batch_size (all ranks) or micro_batch_size (one rank)\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"num_epochs\": 3}, \"model\": {\"layers\": []}}",
     "error: c.json:1:36: unknown key \"train.num_epochs\"\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"num_epochs\": 3}, \"model\": {\"layers\": []}}\n"
     "      |                                    ^~~~~~~~~~~~ called \"train.duration\" here\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"learning_rate\": 0.1}",
     "error: c.json:2:2: unknown key \"learning_rate\"\n"
     "    2 |  \"learning_rate\": 0.1}\n"
     "      |  ^~~~~~~~~~~~~~~ did you mean \"optimizer.learning_rate\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"patience\": 5}",
     "error: c.json:2:2: unknown key \"patience\"\n"
     "    2 |  \"patience\": 5}\n"
     "      |  ^~~~~~~~~~ did you mean \"train.early_stop.patience\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"zzzzzz\": 5}",
     "error: c.json:2:2: unknown key \"zzzzzz\"\n"
     "    2 |  \"zzzzzz\": 5}\n"
     "      |  ^~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"display\": {\"zzzzzz\": 5}}",
     "error: c.json:2:14: unknown key \"display.zzzzzz\"\n"
     "    2 |  \"display\": {\"zzzzzz\": 5}}\n"
     "      |              ^~~~~~~~ known here: \"log_every\"\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [{\"type\": \"relu\", \"inplace\": true}]}}",
     "error: c.json:2:40: unknown key \"model.layers.0.inplace\"\n"
     "    2 |  \"model\": {\"layers\": [{\"type\": \"relu\", \"inplace\": true}]}}\n"
     "      |                                        ^~~~~~~~~ \"relu\" has no keys\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"kernl\": 3}]}}",
     "error: c.json:2:52: unknown key \"model.layers.0.kernl\"\n"
     "    2 |  \"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"kernl\": 3}]}}\n"
     "      |                                                    ^~~~~~~ did you mean \"kernel\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"strid\": 1}]}]}}",
     "error: c.json:2:84: unknown key \"model.layers.0.layers.0.strid\"\n"
     "    2 | ...ayers\": [{\"type\": \"residual\", \"layers\": [{\"type\": \"conv2d\", \"out\": 8, \"strid\": 1}]}]}}\n"
     "      |                                                                          ^~~~~~~ did you mean \"stride\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": [], \"skip\": {\"scal\": 2}}]}}",
     "error: c.json:2:67: unknown key \"model.layers.0.skip.scal\"\n"
     "    2 |  \"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": [], \"skip\": {\"scal\": 2}}]}}\n"
     "      |                                                                   ^~~~~~ did you mean \"scale\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"type\": 1}",
     "error: c.json:2:2: unknown key \"type\"\n"
     "    2 |  \"type\": 1}\n"
     "      |  ^~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"$schema\": \"x\"},\n"
     " \"model\": {\"layers\": []}}",
     "error: c.json:1:36: unknown key \"train.$schema\"\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"$schema\": \"x\"},\n"
     "      |                                    ^~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"a.b\": 1}",
     "error: c.json:2:2: unknown key \"a.b\"\n"
     "    2 |  \"a.b\": 1}\n"
     "      |  ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"\": 1}",
     "error: c.json:2:2: unknown key \"\"\n"
     "    2 |  \"\": 1}\n"
     "      |  ^~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\": 1}",
     "error: c.json:2:2: unknown key \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...\"\n"
     "    2 |  \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...\n"
     "      |  ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"\\u001b[31m\": 1}",
     "error: c.json:2:2: unknown key \"\\u001b[31m\"\n"
     "    2 |  \"\\u001b[31m\": 1}\n"
     "      |  ^~~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"name\": 5}",
     "error: c.json:2:10: name is 5, want a string\n"
     "    2 |  \"name\": 5}\n"
     "      |          ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"name\": null}",
     "error: c.json:2:10: name is null, want a string\n"
     "    2 |  \"name\": null}\n"
     "      |          ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"best\": false}",
     "error: c.json:2:10: best is false, want a string, or null\n"
     "    2 |  \"best\": false}\n"
     "      |          ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"seed\": \"1\"}",
     "error: c.json:2:10: seed is \"1\", want an integer\n"
     "    2 |  \"seed\": \"1\"}\n"
     "      |          ^~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"seed\": 1.5}",
     "error: c.json:2:10: seed is 1.5, want an integer\n"
     "    2 |  \"seed\": 1.5}\n"
     "      |          ^~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"seed\": 1e300}",
     "error: c.json:2:10: seed is 1e300, want an integer\n"
     "    2 |  \"seed\": 1e300}\n"
     "      |          ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"seed\": \"auto\"}",
     "error: c.json:2:10: seed is \"auto\", want an integer\n"
     "    2 |  \"seed\": \"auto\"}\n"
     "      |          ^~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"seed\": null}",
     "error: c.json:2:10: seed is null, want an integer\n"
     "    2 |  \"seed\": null}\n"
     "      |          ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"threads\": \"all\"}",
     "error: c.json:2:13: threads is \"all\", want an integer >= 1 and <= 1024, or \"auto\"\n"
     "    2 |  \"threads\": \"all\"}\n"
     "      |             ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"deterministic\": 1}",
     "error: c.json:2:19: deterministic is 1, want true or false\n"
     "    2 |  \"deterministic\": 1}\n"
     "      |                   ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"deterministic\": \"true\"}",
     "error: c.json:2:19: deterministic is \"true\", want true or false\n"
     "    2 |  \"deterministic\": \"true\"}\n"
     "      |                   ^~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"dropout\": \"0.5\"}",
     "error: c.json:2:13: dropout is \"0.5\", want a number >= 0 and < 1\n"
     "    2 |  \"dropout\": \"0.5\"}\n"
     "      |             ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"dropout\": [0.5]}",
     "error: c.json:2:13: dropout is a list, want a number >= 0 and < 1\n"
     "    2 |  \"dropout\": [0.5]}\n"
     "      |             ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"floor\": {}}",
     "error: c.json:2:11: floor is an object, want a number, or \"auto\"\n"
     "    2 |  \"floor\": {}}\n"
     "      |           ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"model\": {\"layers\": []},\n"
     " \"train\": 5}",
     "error: c.json:2:11: train is 5, want an object\n"
     "    2 |  \"train\": 5}\n"
     "      |           ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"model\": {\"layers\": []},\n"
     " \"train\": null}",
     "error: c.json:2:11: train is null, want an object\n"
     "    2 |  \"train\": null}\n"
     "      |           ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"milestones\": \"0.5\"}",
     "error: c.json:2:16: milestones is \"0.5\", want a list of numbers >= 0 and <= 1\n"
     "    2 |  \"milestones\": \"0.5\"}\n"
     "      |                ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"milestones\": [0.5, \"x\"]}",
     "error: c.json:2:22: milestones.1 is \"x\", want a number\n"
     "    2 |  \"milestones\": [0.5, \"x\"]}\n"
     "      |                      ^~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"tags\": 5}",
     "error: c.json:2:10: tags is 5, want a list of strings\n"
     "    2 |  \"tags\": 5}\n"
     "      |          ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"tags\": [\"a\", 5, null]}",
     "error: c.json:2:16: tags.1 is 5, want a string\n"
     "    2 |  \"tags\": [\"a\", 5, null]}\n"
     "      |                ^\n"
     "error: c.json:2:19: tags.2 is null, want a string\n"
     "    2 |  \"tags\": [\"a\", 5, null]}\n"
     "      |                   ^~~~\n"
     "2 errors, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"device\": 1}",
     "error: c.json:2:12: device is 1, want one of \"auto\", \"cpu\", \"cuda\"\n"
     "    2 |  \"device\": 1}\n"
     "      |            ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": {\"type\": \"relu\"}}}",
     "error: c.json:2:22: model.layers is an object, want a list of \"conv2d\", \"relu\", \"residual\"\n"
     "    2 |  \"model\": {\"layers\": {\"type\": \"relu\"}}}\n"
     "      |                      ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": []}",
     "error: c.json:2:11: model is a list, want an object\n"
     "    2 |  \"model\": []}\n"
     "      |           ^\n"
     "1 error, nothing was run",
     {0}},
    {"[1]",
     "error: c.json:1:1: the document is a list, want an object\n"
     "    1 | [1]\n"
     "      | ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"learning_rate\": -0.1}}",
     "error: c.json:2:33: optimizer.learning_rate is -0.1, want > 0\n"
     "    2 |  \"optimizer\": {\"learning_rate\": -0.1}}\n"
     "      |                                 ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"learning_rate\": 0}}",
     "error: c.json:2:33: optimizer.learning_rate is 0, want > 0\n"
     "    2 |  \"optimizer\": {\"learning_rate\": 0}}\n"
     "      |                                 ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"dropout\": 1}",
     "error: c.json:2:13: dropout is 1, want >= 0 and < 1\n"
     "    2 |  \"dropout\": 1}\n"
     "      |             ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"dropout\": -0.5}",
     "error: c.json:2:13: dropout is -0.5, want >= 0 and < 1\n"
     "    2 |  \"dropout\": -0.5}\n"
     "      |             ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"threads\": 0}",
     "error: c.json:2:13: threads is 0, want >= 1 and <= 1024\n"
     "    2 |  \"threads\": 0}\n"
     "      |             ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"threads\": 99999}",
     "error: c.json:2:13: threads is 99999, want >= 1 and <= 1024\n"
     "    2 |  \"threads\": 99999}\n"
     "      |             ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"milestones\": [0.5, 2, 0.7]}",
     "error: c.json:2:22: milestones.1 is 2, want >= 0 and <= 1\n"
     "    2 |  \"milestones\": [0.5, 2, 0.7]}\n"
     "      |                      ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"milestones\": 3}",
     "error: c.json:2:16: milestones is 3, want >= 0 and <= 1\n"
     "    2 |  \"milestones\": 3}\n"
     "      |                ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"betas\": [0.9, 1]}}",
     "error: c.json:2:31: optimizer.betas.1 is 1, want >= 0 and < 1\n"
     "    2 |  \"optimizer\": {\"betas\": [0.9, 1]}}\n"
     "      |                               ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [\"relu\", {\"type\": \"conv2d\", \"out\": 0, \"kernel\": 17}]}}",
     "error: c.json:2:57: model.layers.1.out is 0, want >= 1\n"
     "    2 |  \"model\": {\"layers\": [\"relu\", {\"type\": \"conv2d\", \"out\": 0, \"kernel\": 17}]}}\n"
     "      |                                                         ^\n"
     "error: c.json:2:70: model.layers.1.kernel is 17, want >= 1 and <= 15\n"
     "    2 |  \"model\": {\"layers\": [\"relu\", {\"type\": \"conv2d\", \"out\": 0, \"kernel\": 17}]}}\n"
     "      |                                                                      ^~\n"
     "2 errors, nothing was run",
     {0}},
    {"{}",
     "error: c.json:1:1: missing key \"train.duration\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {}\n"
     "      | ^\n"
     "error: c.json:1:1: missing key \"model.layers\", want a list of \"conv2d\", \"relu\", \"residual\"\n"
     "    1 | {}\n"
     "      | ^\n"
     "2 errors, nothing was run",
     {0}},
    {"{\"train\": {}, \"model\": {}}",
     "error: c.json:1:2: missing key \"train.duration\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {}, \"model\": {}}\n"
     "      |  ^~~~~~~\n"
     "error: c.json:1:15: missing key \"model.layers\", want a list of \"conv2d\", \"relu\", \"residual\"\n"
     "    1 | {\"train\": {}, \"model\": {}}\n"
     "      |               ^~~~~~~\n"
     "2 errors, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [\"conv2d\"]}}",
     "error: c.json:2:23: missing key \"model.layers.0.out\", want an integer >= 1\n"
     "    2 |  \"model\": {\"layers\": [\"conv2d\"]}}\n"
     "      |                       ^~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [{\"out\": 3}]}}",
     "error: c.json:2:23: missing key \"model.layers.0.type\", want one of \"conv2d\", \"relu\", \"residual\"\n"
     "    2 |  \"model\": {\"layers\": [{\"out\": 3}]}}\n"
     "      |                       ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"schedule\": {}}",
     "error: c.json:2:2: missing key \"schedule.type\", want \"cosine\"\n"
     "    2 |  \"schedule\": {}}\n"
     "      |  ^~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"device\": \"gpu\"}",
     "error: c.json:2:12: device is \"gpu\", want one of \"auto\", \"cpu\", \"cuda\"\n"
     "    2 |  \"device\": \"gpu\"}\n"
     "      |            ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"device\": \"CUDA\"}",
     "error: c.json:2:12: device is \"CUDA\", want one of \"auto\", \"cpu\", \"cuda\"\n"
     "    2 |  \"device\": \"CUDA\"}\n"
     "      |            ^~~~~~ did you mean \"cuda\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": \"adam\"}",
     "error: c.json:2:15: optimizer is \"adam\", want one of \"sgd\", \"adamw\"\n"
     "    2 |  \"optimizer\": \"adam\"}\n"
     "      |               ^~~~~~ did you mean \"adamw\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"type\": \"adan\"}}",
     "error: c.json:2:24: optimizer.type is \"adan\", want one of \"sgd\", \"adamw\"\n"
     "    2 |  \"optimizer\": {\"type\": \"adan\"}}\n"
     "      |                        ^~~~~~ did you mean \"adamw\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": {\"type\": 5}}",
     "error: c.json:2:24: optimizer.type is 5, want one of \"sgd\", \"adamw\"\n"
     "    2 |  \"optimizer\": {\"type\": 5}}\n"
     "      |                        ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": 5}",
     "error: c.json:2:15: optimizer is 5, want one of \"sgd\", \"adamw\", or an object with such a \"type\"\n"
     "    2 |  \"optimizer\": 5}\n"
     "      |               ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": null}",
     "error: c.json:2:15: optimizer is null, want one of \"sgd\", \"adamw\", or an object with such a \"type\"\n"
     "    2 |  \"optimizer\": null}\n"
     "      |               ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"optimizer\": [\"sgd\"]}",
     "error: c.json:2:15: optimizer is a list, want one of \"sgd\", \"adamw\", or an object with such a \"type\"\n"
     "    2 |  \"optimizer\": [\"sgd\"]}\n"
     "      |               ^\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]},\n"
     " \"schedule\": \"linear\"}",
     "error: c.json:2:14: schedule is \"linear\", want \"cosine\"\n"
     "    2 |  \"schedule\": \"linear\"}\n"
     "      |              ^~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"},\n"
     " \"model\": {\"layers\": [\"conv2\", 5, null, {\"type\": \"Relu\"}]}}",
     "error: c.json:2:23: model.layers.0 is \"conv2\", want one of \"conv2d\", \"relu\", \"residual\"\n"
     "    2 |  \"model\": {\"layers\": [\"conv2\", 5, null, {\"type\": \"Relu\"}]}}\n"
     "      |                       ^~~~~~~ did you mean \"conv2d\"?\n"
     "error: c.json:2:32: model.layers.1 is 5, want one of \"conv2d\", \"relu\", \"residual\", or an object with such a \"type\"\n"
     "    2 |  \"model\": {\"layers\": [\"conv2\", 5, null, {\"type\": \"Relu\"}]}}\n"
     "      |                                ^\n"
     "error: c.json:2:35: model.layers.2 is null, want one of \"conv2d\", \"relu\", \"residual\", or an object with such a \"type\"\n"
     "    2 |  \"model\": {\"layers\": [\"conv2\", 5, null, {\"type\": \"Relu\"}]}}\n"
     "      |                                   ^~~~\n"
     "error: c.json:2:50: model.layers.3.type is \"Relu\", want one of \"conv2d\", \"relu\", \"residual\"\n"
     "    2 |  \"model\": {\"layers\": [\"conv2\", 5, null, {\"type\": \"Relu\"}]}}\n"
     "      |                                                  ^~~~~~ did you mean \"relu\"?\n"
     "4 errors, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"10 epoks\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"10 epoks\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"10 epoks\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~~ did you mean \"10 epochs\"?\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"10\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"10\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"10\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~ write its unit, as in \"10 steps\"\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": 10}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is 10, want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": 10}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~ write its unit, as in \"10 steps\"\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"never\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"never\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"never\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"5%\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"5%\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"5%\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"-3 epochs\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"-3 epochs\", want > 0\n"
     "    1 | {\"train\": {\"duration\": \"-3 epochs\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"0 steps\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"0 steps\", want > 0\n"
     "    1 | {\"train\": {\"duration\": \"0 steps\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"epochs\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"epochs\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"epochs\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"0x10 steps\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"0x10 steps\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"0x10 steps\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"1e999 steps\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"1e999 steps\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"1e999 steps\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 parsecs\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is \"3 parsecs\", want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": \"3 parsecs\"}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~~~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": true}, \"model\": {\"layers\": []}}",
     "error: c.json:1:24: train.duration is true, want an amount: \"N epochs\", \"N steps\", \"N samples\", \"N s\", \"N min\", \"N h\"\n"
     "    1 | {\"train\": {\"duration\": true}, \"model\": {\"layers\": []}}\n"
     "      |                        ^~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"warmup\": \"120%\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:46: train.warmup is \"120%\", want 0% to 100%\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"warmup\": \"120%\"}, \"model\": {\"layers\": []}}\n"
     "      |                                              ^~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"every\": \"2 min\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:45: train.every is \"2 min\", want an amount: \"N epochs\", \"N steps\", \"never\"\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"every\": \"2 min\"}, \"model\": {\"layers\": []}}\n"
     "      |                                             ^~~~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"deadline\": \"2 h\"}, \"model\": {\"layers\": []}}",
     "error: c.json:1:48: train.deadline is \"2 h\", want >= 1 and <= 3600\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"deadline\": \"2 h\"}, \"model\": {\"layers\": []}}\n"
     "      |                                                ^~~~~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\", \"deadline\": -1}, \"model\": {\"layers\": []}}",
     "error: c.json:1:48: train.deadline is -1, want >= 1 and <= 3600\n"
     "    1 | {\"train\": {\"duration\": \"3 epochs\", \"deadline\": -1}, \"model\": {\"layers\": []}}\n"
     "      |                                                ^~\n"
     "1 error, nothing was run",
     {0}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set optimizer.learnig_rate=1: unknown key \"optimizer.learnig_rate\"\n"
     "      | did you mean \"learning_rate\"?\n"
     "1 error, nothing was run",
     {"optimizer.learnig_rate=1"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set optimizer.learning_rate=-1: optimizer.learning_rate is -1, want > 0\n"
     "1 error, nothing was run",
     {"optimizer.learning_rate=-1"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set optimizer.lr=1: unknown key \"optimizer.lr\"\n"
     "      | called \"optimizer.learning_rate\" here\n"
     "1 error, nothing was run",
     {"optimizer.lr=1"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set seed=abc: seed is \"abc\", want an integer\n"
     "1 error, nothing was run",
     {"seed=abc"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set model.layers.0.out=3: unknown key \"model.layers.0.out\"\n"
     "      | \"out\" belongs to \"conv2d\", and this is \"relu\"\n"
     "1 error, nothing was run",
     {"model.layers.0.out=3"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set optimizer={\"type\": \"sgd\", \"beta\": 1}: unknown key \"optimizer.beta\"\n"
     "      | known here: \"learning_rate\", \"momentum\", \"nesterov\"\n"
     "1 error, nothing was run",
     {"optimizer={\"type\": \"sgd\", \"beta\": 1}"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set extends=a.json: unknown key \"extends\"\n"
     "1 error, nothing was run",
     {"extends=a.json"}},
    {"{\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\"]}}",
     "error: --set nam=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...: unknown key \"nam\"\n"
     "      | did you mean \"name\"?\n"
     "1 error, nothing was run",
     {"name=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "nam=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}},
    {"{\n"
     "  \"model\": {\"layers\": [\"conv2\"]},\n"
     "  \"seed\": \"x\", \"sede\": 1,\n"
     "  \"train\": {\"duration\": \"3 epochs\", \"batch_size\": 1}\n"
     "}",
     "error: c.json:2:24: model.layers.0 is \"conv2\", want one of \"conv2d\", \"relu\", \"residual\"\n"
     "    2 |   \"model\": {\"layers\": [\"conv2\"]},\n"
     "      |                        ^~~~~~~ did you mean \"conv2d\"?\n"
     "error: c.json:3:11: seed is \"x\", want an integer\n"
     "    3 |   \"seed\": \"x\", \"sede\": 1,\n"
     "      |           ^~~\n"
     "error: c.json:3:16: unknown key \"sede\"\n"
     "    3 |   \"seed\": \"x\", \"sede\": 1,\n"
     "      |                ^~~~~~ did you mean \"seed\"?\n"
     "error: c.json:4:37: unknown key \"train.batch_size\"\n"
     "    4 |   \"train\": {\"duration\": \"3 epochs\", \"batch_size\": 1}\n"
     "      |                                     ^~~~~~~~~~~~ say global_batch_size (all ranks) or micro_batch_size (one rank)\n"
     "error: --set threads=0: threads is 0, want >= 1 and <= 1024\n"
     "error: --set device=gpu: device is \"gpu\", want one of \"auto\", \"cpu\", \"cuda\"\n"
     "6 errors, nothing was run",
     {"device=gpu", "threads=0"}},
};
/* clang-format on */

#endif
