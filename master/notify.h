/* master/notify.h
 * Tells the service manager what happens: the datagram protocol of sd_notify(3),
 * which needs no library. */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=..", "STOPPING=1", "STATUS=...".  Nothing happens
 * when no manager asked for it. */
void notify_send(const char *text);
void notify_reloading(void);

#endif
