"""A loopback IMAP server over TLS with one mailbox folder (RFC 3501, the commands that connectors send)."""

import base64
import datetime as dt
import re
import socketserver
import ssl
import threading
from contextlib import contextmanager
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class MailboxHandler(socketserver.StreamRequestHandler):
    def handle(self):
        self.send("* OK ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, command = line.partition(" ")
            self.server.log.append(command)
            if not self.answer(tag, command):
                return

    def answer(self, tag, command):
        """Send the response to a command, and return whether the connection stays open."""
        box = self.server
        if command.startswith("CAPABILITY"):
            self.send("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        elif command == "AUTHENTICATE PLAIN":
            self.send("+ ")
            if base64.b64decode(self.rfile.readline()) != f"\0{box.username}\0{box.password}".encode():
                return self.send(f"{tag} NO [AUTHENTICATIONFAILED] wrong {box.password}")
        elif command.startswith("EXAMINE"):
            self.send(f"* {len(box.messages)} EXISTS\r\n* OK [UIDVALIDITY {box.validity}] valid")
        elif command.startswith("UID SEARCH"):
            self.send(f"* SEARCH {' '.join(map(str, box.messages))}")
        elif found := re.fullmatch(r"UID FETCH ([\d,]+) \((.+)\)", command):
            for uid in map(int, found[1].split(",")):
                self.fetch(uid, found[2])
        return self.send(f"{tag} OK done") and command != "LOGOUT"

    def fetch(self, uid, item):
        body = self.server.messages[uid]
        if item == "RFC822.SIZE":
            self.send(f"* 1 FETCH (UID {uid} RFC822.SIZE {self.server.sizes.get(uid, len(body))})")
        else:
            self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(body)}}}\r\n".encode() + body + b")\r\n")

    def send(self, text):
        self.wfile.write(f"{text}\r\n".encode())
        return True


class MailboxServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def get_request(self):
        connection, address = super().get_request()
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_):
        """Ignore clients that refuse the certificate."""


def create_certificate(folder):
    """Write a certificate for 127.0.0.1 that is its own authority, and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def serve_mailbox(certificate):
    """Yield a server. `messages` holds the bodies by UID, and `log` the received commands."""
    with MailboxServer(("127.0.0.1", 0), MailboxHandler) as server:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(certificate)
        server.messages, server.sizes, server.log, server.validity = {}, {}, [], 7
        server.username, server.password = "reader@example.org", "hush-hush"
        server.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()
