# Python's HTTPS server on each listener of a file.
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Granted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(421 if self.path == "/misdirected" else 200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"granted\n")


class Server(ThreadingHTTPServer):
    def __init__(self, listener):
        super().__init__(("127.0.0.1", listener["port"]), Granted)
        version = getattr(ssl.TLSVersion, listener["protocol"].replace(".", "_"))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = self.context.maximum_version = version
        self.context.set_ciphers(listener["ciphers"])
        self.context.load_cert_chain(listener["chain"], listener["key"])
        if listener.get("roots"):
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(listener["roots"])
        if listener.get("revoked"):
            self.context.load_verify_locations(listener["revoked"])
            self.context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN

        if listener.get("p256Only"):
            self.context.set_ecdh_curve("prime256v1")
        if listener.get("strictName"):
            self.context.sni_callback = lambda _, name, __: (
                None if name == listener["strictName"] else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            )

    # The handshake is made in the thread of the connection, by the first read.
    def get_request(self):
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


with open(sys.argv[1]) as file:
    for listener in json.load(file):
        threading.Thread(target=Server(listener).serve_forever).start()
