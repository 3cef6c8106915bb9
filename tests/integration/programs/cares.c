/* c-ares: "A name" or "SRV name" on stdin, "ok address-or-target..." or "failed why" on stdout. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>

static void print_addresses(const unsigned char* reply, int size) {
    struct hostent* host;
    const int status = ares_parse_a_reply(reply, size, &host, NULL, NULL);
    if (status != ARES_SUCCESS) {
        printf("failed %s\n", ares_strerror(status));
        return;
    }
    printf("ok");
    for (char** address = host->h_addr_list; *address != NULL; ++address) {
        char text[INET_ADDRSTRLEN];
        printf(" %s", inet_ntop(AF_INET, *address, text, sizeof text));
    }
    printf("\n");
    ares_free_hostent(host);
}

static void print_targets(const unsigned char* reply, int size) {
    struct ares_srv_reply* first;
    const int status = ares_parse_srv_reply(reply, size, &first);
    if (status != ARES_SUCCESS) {
        printf("failed %s\n", ares_strerror(status));
        return;
    }
    printf("ok");
    for (const struct ares_srv_reply* srv = first; srv != NULL; srv = srv->next) {
        printf(" %s:%u", srv->host, srv->port);
    }
    printf("\n");
    ares_free_data(first);
}

static void answered(void* type, int status, int timeouts, unsigned char* reply, int size) {
    (void)timeouts;
    if (status != ARES_SUCCESS) {
        printf("failed %s\n", ares_strerror(status));
    } else if (strcmp(type, "SRV") == 0) {
        print_targets(reply, size);
    } else {
        print_addresses(reply, size);
    }
    fflush(stdout);
}

static void wait_for_the_answer(ares_channel channel) {
    for (;;) {
        fd_set readable, writable;
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        const int count = ares_fds(channel, &readable, &writable);
        if (count == 0) return;
        struct timeval longest;
        select(count, &readable, &writable, NULL, ares_timeout(channel, NULL, &longest));
        ares_process(channel, &readable, &writable);
    }
}

int main(void) {
    ares_channel channel;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS || ares_init(&channel) != ARES_SUCCESS) return 1;
    char type[8], name[256];
    while (scanf("%7s %255s", type, name) == 2) {
        ares_search(channel, name, ns_c_in, strcmp(type, "SRV") == 0 ? ns_t_srv : ns_t_a, answered, type);
        wait_for_the_answer(channel);
    }
    ares_destroy(channel);
    ares_library_cleanup();
    return 0;
}
