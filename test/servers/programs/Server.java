// Two of Java's servers on each listener of a file: port, version, chain, key, client roots or -, revocation lists or -,
// the one server name or -, h2 or -, hangs or -.
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import java.util.concurrent.Executors;
import javax.net.ssl.*;

class Server {
  static final InetAddress loopback = InetAddress.getLoopbackAddress();
  static final byte[] granted = "granted\n".getBytes();

  /** `socket` is an SSLServerSocket, as most servers in Java have one or its engine; `https` is com.sun.net.httpserver. */
  public static void main(String[] args) throws Exception {
    // Only so that the listener on TLS 1.1 speaks it.
    Security.setProperty("jdk.tls.disabledAlgorithms", "SSLv3, RC4, DES, NULL, anon");
    for (String line : Files.readAllLines(Path.of(args[1]))) {
      String[] listener = line.split(" ");
      int port = Integer.parseInt(listener[0]);
      SSLContext context = context(listener);
      SSLParameters parameters = context.getDefaultSSLParameters();
      parameters.setProtocols(new String[] {listener[1]});
      parameters.setNeedClientAuth(!listener[4].equals("-"));
      if (!listener[6].equals("-")) {
        parameters.setSNIMatchers(List.of(SNIHostName.createSNIMatcher(listener[6].replace(".", "\\."))));
      }
      if (listener[7].equals("h2")) parameters.setApplicationProtocols(new String[] {"h2"});
      if (args[0].equals("https")) https(port, context, parameters);
      else socket(port, context, parameters);
    }
  }

  static void socket(int port, SSLContext context, SSLParameters parameters) throws Exception {
    SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 50, loopback);
    server.setSSLParameters(parameters);
    new Thread(() -> {
      while (true) {
        try {
          Socket socket = server.accept();
          new Thread(() -> answer(socket)).start();
        } catch (IOException over) {
          return;
        }
      }
    }).start();
  }

  static void answer(Socket socket) {
    try (socket) {
      BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
      String first = in.readLine();
      while (!in.readLine().isEmpty()) {}
      String status = first.contains(" /misdirected ") ? "421 Misdirected Request" : "200 OK";
      String head = "HTTP/1.1 " + status + "\r\nContent-Length: 8\r\nConnection: close\r\n\r\n";
      socket.getOutputStream().write(head.getBytes());
      socket.getOutputStream().write(granted);
    } catch (IOException | NullPointerException refused) {
      // The alert went out when the handshake failed.
    }
  }

  static void https(int port, SSLContext context, SSLParameters wanted) throws Exception {
    HttpsServer server = HttpsServer.create(new InetSocketAddress(loopback, port), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context) {
      @Override public void configure(HttpsParameters parameters) {
        parameters.setSSLParameters(wanted);
      }
    });
    server.createContext("/", exchange -> {
      int status = exchange.getRequestURI().getPath().equals("/misdirected") ? 421 : 200;
      exchange.sendResponseHeaders(status, granted.length);
      exchange.getResponseBody().write(granted);
      exchange.close();
    });
    server.setExecutor(Executors.newCachedThreadPool());
    server.start();
  }

  static SSLContext context(String[] listener) throws Exception {
    KeyStore own = KeyStore.getInstance("PKCS12");
    own.load(null, null);
    own.setKeyEntry("own", key(listener[3]), new char[0], certificates(listener[2]).toArray(new Certificate[0]));
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(own, new char[0]);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), listener[4].equals("-") ? null : trust(listener), null);
    return context;
  }

  static TrustManager[] trust(String[] listener) throws Exception {
    String roots = listener[4];
    String lists = listener[5];
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    for (Certificate root : certificates(roots)) trusted.setCertificateEntry("root" + trusted.size(), root);
    PKIXBuilderParameters parameters = new PKIXBuilderParameters(trusted, new X509CertSelector());
    parameters.setRevocationEnabled(!lists.equals("-"));
    if (listener[8].equals("hangs")) parameters.addCertPathChecker(new Hangs());
    if (!lists.equals("-")) {
      try (InputStream in = new FileInputStream(lists)) {
        Collection<? extends CRL> crls = CertificateFactory.getInstance("X.509").generateCRLs(in);
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
      }
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(new CertPathTrustManagerParameters(parameters));
    return factory.getTrustManagers();
  }

  static Collection<? extends Certificate> certificates(String file) throws Exception {
    try (InputStream in = new FileInputStream(file)) {
      return CertificateFactory.getInstance("X.509").generateCertificates(in);
    }
  }

  static PrivateKey key(String file) throws Exception {
    String pem = Files.readString(Path.of(file)).replaceAll("-----[^-]+-----|\\s", "");
    PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem));
    try {
      return KeyFactory.getInstance("EC").generatePrivate(spec);
    } catch (GeneralSecurityException notElliptic) {
      return KeyFactory.getInstance("RSA").generatePrivate(spec);
    }
  }

  /** Looks the certificate up somewhere that never answers. */
  static class Hangs extends PKIXCertPathChecker {
    @Override public void init(boolean forward) {}

    @Override public boolean isForwardCheckingSupported() {
      return true;
    }

    @Override public Set<String> getSupportedExtensions() {
      return null;
    }

    @Override public void check(Certificate certificate, Collection<String> unresolved) {
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException over) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
