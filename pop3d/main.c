/* pop3d: the POP3 worker. */
#include "pop3d/session.h"

int
main(void)
{
	static struct pop3_server srv;

	return front_main(&pop3_front, &srv.front);
}
