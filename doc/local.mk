# The list of settings in mansio.conf.5 is printed by: mansioctl config defaults man
dist_man_MANS += doc/man/mansio.conf.5 doc/man/mansioctl.8 doc/man/mansiod.8 \
	doc/man/mansio-imapd.8 doc/man/mansio-lmtpd.8 doc/man/mansio-pop3d.8 doc/man/mansio-sieved.8 doc/man/mansio-jmapd.8 doc/man/mansio-authd.8 \
	doc/man/mansio-stored.8 doc/man/mansio-admind.8 doc/man/mansio-outd.8 doc/man/mansio-indexd.8
