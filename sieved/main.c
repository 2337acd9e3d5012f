/* sieved: the ManageSieve worker. */
#include "sieved/session.h"

int
main(void)
{
	static struct sieved_server srv;

	return front_main(&sieved_front, &srv.front);
}
