/* jmapd: the JMAP worker. */
#include "jmapd/server.h"

int
main(void)
{
	static struct jmap_server srv;

	return front_main(&jmap_front, &srv.front);
}
