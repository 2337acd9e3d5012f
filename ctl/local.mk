bin_PROGRAMS += ctl/mansioctl
ctl_mansioctl_SOURCES = ctl/main.c ctl/ctl.h ctl/commands.c ctl/cmd_config.c \
	ctl/import.c ctl/import.h
ctl_mansioctl_LDADD = $(LIBS_COMMON) $(OUTSIDE_LIBS)
