#include "cli/cli.h"
int cmd_demo(const struct options *options)
{
    (void)options;
    return 1;
}
