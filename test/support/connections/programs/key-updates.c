// A TLS 1.3 server that answers each request with key updates without end (RFC 8446, section 4.6.3); a request for
// /idle with a response first. Arguments: certificate and private key, PEM files. Prints its port, and `closed` after
// each connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  signal(SIGPIPE, SIG_IGN);
  if (count != 3 || SSL_CTX_use_certificate_chain_file(context, arguments[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, arguments[2], SSL_FILETYPE_PEM) != 1 ||
      bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    return 1;
  }
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    static const char response[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    char request[16385] = {0};
    int connection = accept(listener, NULL, NULL);
    SSL *session = SSL_new(context);
    SSL_set_fd(session, connection);
    if (SSL_accept(session) == 1 && SSL_read(session, request, sizeof request - 1) > 0) {
      if (strncmp(request, "GET /idle ", 10) == 0) SSL_write(session, response, sizeof response - 1);
      while (SSL_key_update(session, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(session) == 1) {
      }
    }
    SSL_free(session);
    close(connection);
    printf("closed\n");
    fflush(stdout);
  }
}
