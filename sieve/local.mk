noinst_LIBRARIES += sieve/libsieve.a
sieve_libsieve_a_SOURCES = \
	sieve/core.h sieve/ext.h sieve/extensions.h sieve/message.h sieve/settings.h \
	sieve/sieve.h sieve/syntax.h \
	sieve/actions.c \
	sieve/address.c \
	sieve/comparators.c \
	sieve/compile.c \
	sieve/compile_args.c \
	sieve/compile_require.c \
	sieve/compile_string.c \
	sieve/compose.c sieve/compose.h \
	sieve/conf.c sieve/conf.h \
	sieve/content.c sieve/content.h \
	sieve/edit.c sieve/edit.h \
	sieve/extensions.c \
	sieve/fields.c \
	sieve/glob.c \
	sieve/lexer.c \
	sieve/limits.c \
	sieve/mailto.c sieve/mailto.h \
	sieve/matching.c \
	sieve/message.c \
	sieve/parser.c \
	sieve/print.c \
	sieve/problems.c \
	sieve/regex.c sieve/regex.h sieve/regex_priv.h \
	sieve/regex_find.c \
	sieve/run.c \
	sieve/values.c \
	sieve/words.c \
	sieve/ext_base.c \
	sieve/ext_body.c \
	sieve/ext_date.c \
	sieve/ext_dsn.c \
	sieve/ext_duplicate.c \
	sieve/ext_editheader.c \
	sieve/ext_enclose.c \
	sieve/ext_encoded_character.c \
	sieve/ext_enotify.c \
	sieve/ext_envelope.c \
	sieve/ext_environment.c \
	sieve/ext_extlists.c \
	sieve/ext_fcc.c \
	sieve/ext_extracttext.c \
	sieve/ext_fileinto.c \
	sieve/ext_ihave.c \
	sieve/ext_imap4flags.c \
	sieve/ext_imapsieve.c \
	sieve/ext_include.c \
	sieve/ext_foreverypart.c sieve/ext_foreverypart.h \
	sieve/ext_index.c \
	sieve/ext_mailbox.c \
	sieve/ext_metadata.c \
	sieve/ext_mime.c \
	sieve/ext_regex.c \
	sieve/ext_reject.c \
	sieve/ext_replace.c \
	sieve/ext_relational.c \
	sieve/ext_spamtest.c \
	sieve/ext_subaddress.c \
	sieve/ext_vacation.c \
	sieve/ext_variables.c
