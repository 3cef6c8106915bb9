/* What a program in a small container does: resolve a name by its libc, connect to the first
   address, ask for a page, and print the page's body. Built statically with musl. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    const int status = getaddrinfo(argv[1], argv[2], &hints, &found);
    if (status != 0) {
        fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(status));
        return 1;
    }
    const int connection = socket(found->ai_family, SOCK_STREAM, 0);
    if (connect(connection, found->ai_addr, found->ai_addrlen) != 0) {
        perror("connect");
        return 1;
    }
    char page[4096];
    const int length = snprintf(page, sizeof page, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]);
    if (write(connection, page, length) != length) return 1;
    size_t size = 0;
    ssize_t got;
    while ((got = read(connection, page + size, sizeof page - 1 - size)) > 0) size += got;
    page[size] = '\0';
    const char* body = strstr(page, "\r\n\r\n");
    if (body == NULL) return 1;
    puts(body + 4);
    return 0;
}
