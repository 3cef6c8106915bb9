/* The libc's resolver: "A name" on stdin, "ok address..." or "failed why" on stdout. Built statically with musl. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(void) {
    char type[8], name[256];
    while (scanf("%7s %255s", type, name) == 2) {
        const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        struct addrinfo* found;
        const int status = getaddrinfo(name, NULL, &hints, &found);
        if (status != 0) {
            printf("failed %s\n", gai_strerror(status));
        } else {
            printf("ok");
            for (const struct addrinfo* one = found; one != NULL; one = one->ai_next) {
                char text[INET6_ADDRSTRLEN];
                getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
                printf(" %s", text);
            }
            printf("\n");
            freeaddrinfo(found);
        }
        fflush(stdout);
    }
    return 0;
}
