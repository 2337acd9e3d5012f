/* ctl/commands.c
 * Which families of commands there are: a new one adds its table here. */
#include <stddef.h>

#include "ctl/ctl.h"

const struct ctl_command *const ctl_families[] = {
	ctl_cmds_server,
	ctl_cmds_copy,
	ctl_cmds_fsck,
	ctl_cmds_account,
	ctl_cmds_domain,
	ctl_cmds_group,
	ctl_cmds_mailbox,
	ctl_cmds_acl,
	ctl_cmds_pop3,
	ctl_cmds_queue,
	ctl_cmds_sieve,
	ctl_cmds_undelete,
	ctl_cmds_transfer,
	ctl_cmds_store,
	ctl_cmds_backup,
	ctl_cmds_config,
	NULL
};
