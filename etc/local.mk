# What an installation needs beside the programs.  The sample stands here as a build
# for /usr prints it; a test keeps it equal to the tables.
EXTRA_DIST += etc/mansio.conf.sample etc/mansio.service.in etc/mansio.init.in \
	etc/mansio.sysusers etc/mansio.tmpfiles.in etc/mansio-users.sh etc/mansioctl.bash \
	etc/pam.d/mansio

ETC_SUBST = $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@runstatedir[@]|$(runstatedir)|g' \
	-e 's|@localstatedir[@]|$(localstatedir)|g'
ETC_PATHS = $(SED) -e 's|/etc/mansio|$(sysconfdir)/mansio|g' \
	-e 's|/var/lib/mansio|$(localstatedir)/lib/mansio|g' \
	-e 's|/run/mansio|$(runstatedir)/mansio|g'
ETC_MADE = etc/mansio.service etc/mansio.init etc/mansio.tmpfiles
CLEANFILES += $(ETC_MADE)

etc/mansio.service: $(srcdir)/etc/mansio.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBST) $(srcdir)/etc/mansio.service.in > $@
etc/mansio.init: $(srcdir)/etc/mansio.init.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBST) $(srcdir)/etc/mansio.init.in > $@
etc/mansio.tmpfiles: $(srcdir)/etc/mansio.tmpfiles.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBST) $(srcdir)/etc/mansio.tmpfiles.in > $@
all-local: $(ETC_MADE)

# An existing mansio.conf or PAM service is the admin's.
install-data-local: install-etc
.PHONY: install-etc uninstall-etc
install-etc: $(ETC_MADE)
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/mansio/conf.d' '$(DESTDIR)$(sysconfdir)/pam.d' \
	    '$(DESTDIR)$(sysconfdir)/init.d' '$(DESTDIR)$(systemdsystemunitdir)' \
	    '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)' \
	    '$(DESTDIR)$(bashcompletiondir)' '$(DESTDIR)$(mansiolibexecdir)'
	$(ETC_PATHS) $(srcdir)/etc/mansio.conf.sample > etc/sample.tmp
	$(INSTALL_DATA) etc/sample.tmp '$(DESTDIR)$(sysconfdir)/mansio/mansio.conf.sample'
	test -e '$(DESTDIR)$(sysconfdir)/mansio/mansio.conf' || \
	    $(INSTALL_DATA) etc/sample.tmp '$(DESTDIR)$(sysconfdir)/mansio/mansio.conf'
	rm -f etc/sample.tmp
	test -e '$(DESTDIR)$(sysconfdir)/pam.d/mansio' || \
	    $(INSTALL_DATA) $(srcdir)/etc/pam.d/mansio '$(DESTDIR)$(sysconfdir)/pam.d/mansio'
	$(INSTALL_SCRIPT) etc/mansio.init '$(DESTDIR)$(sysconfdir)/init.d/mansio'
	$(INSTALL_DATA) etc/mansio.service '$(DESTDIR)$(systemdsystemunitdir)/mansio.service'
	$(INSTALL_DATA) $(srcdir)/etc/mansio.sysusers '$(DESTDIR)$(sysusersdir)/mansio.conf'
	$(INSTALL_DATA) etc/mansio.tmpfiles '$(DESTDIR)$(tmpfilesdir)/mansio.conf'
	$(INSTALL_DATA) $(srcdir)/etc/mansioctl.bash '$(DESTDIR)$(bashcompletiondir)/mansioctl'
	$(INSTALL_SCRIPT) $(srcdir)/etc/mansio-users.sh '$(DESTDIR)$(mansiolibexecdir)/mansio-users'
uninstall-local: uninstall-etc
uninstall-etc:
	rm -f '$(DESTDIR)$(sysconfdir)/mansio/mansio.conf.sample' \
	    '$(DESTDIR)$(sysconfdir)/init.d/mansio' \
	    '$(DESTDIR)$(systemdsystemunitdir)/mansio.service' \
	    '$(DESTDIR)$(sysusersdir)/mansio.conf' '$(DESTDIR)$(tmpfilesdir)/mansio.conf' \
	    '$(DESTDIR)$(bashcompletiondir)/mansioctl' '$(DESTDIR)$(mansiolibexecdir)/mansio-users'
