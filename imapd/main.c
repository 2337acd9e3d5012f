/* imapd: the IMAP worker. */
#include "imapd/session.h"

int
main(void)
{
	static struct imap_server srv;

	return front_main(&imap_front, &srv.front);
}
