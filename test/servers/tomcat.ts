// Apache Tomcat on Java's TLS: a connector for each listener.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { filesOf, type Listener, portsOf, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

export const tomcat: RealServer = {
  title: 'Tomcat',
  needs: ['catalina.sh', 'java', 'keytool'],
  // Its TLS is that of Java.
  version: () => {
    const java = versionOf('catalina.sh', ['version'], /(?<=JVM Version:\s+)[\d.]+/);
    return `Java ${java}, Tomcat ${versionOf('catalina.sh', ['version'], /(?<=Tomcat\/)[\d.]+/)}`;
  },
  async start(listeners, resources) {
    const rsaOnly = listeners.filter(({ rsaClientsOnly }) => rsaClientsOnly);
    const others = listeners.filter(({ rsaClientsOnly }) => !rsaClientsOnly);
    const property = '-Djdk.tls.server.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256';
    // Which signatures are taken is a property of the process.
    await Promise.all([startOne(others, resources, ''), startOne(rsaOnly, resources, property)]);
  },
};

async function startOne(listeners: readonly Listener[], resources: Resources, properties: string): Promise<void> {
  if (listeners.length === 0) return;
  const folder = resources.folder();
  // Java disables TLS 1.1 by default.
  const security = folder.write('java.security', 'jdk.tls.disabledAlgorithms=SSLv3, RC4, DES, NULL, anon\n');
  prepareTomcat(folder, listeners.map((listener) => connector(listener, folder)).join('\n'));
  const options = `-XX:TieredStopAtLevel=1 -Djava.security.properties=${security} ${properties}`;
  const env = { CATALINA_BASE: folder.path, CATALINA_OPTS: options };
  const program = resources.start(programOf('catalina.sh'), ['run'], { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}

function connector(listener: Listener, folder: Folder): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const trust = `certificateVerification="required" certificateVerificationDepth="3"
    truststoreFile="${roots && clientStore(roots, folder)}" truststorePassword="changeit" truststoreType="PKCS12"`;
  return `<Connector port="${listener.port}" address="127.0.0.1" SSLEnabled="true" scheme="https" secure="true"
      protocol="org.apache.coyote.http11.Http11NioProtocol">
    <SSLHostConfig protocols="${listener.protocol}" ${roots ? trust : ''}
        ${revoked ? `certificateRevocationListFile="${revoked}"` : ''}>
      <Certificate certificateFile="${chain}" certificateKeyFile="${key}" />
    </SSLHostConfig>
  </Connector>`;
}

/** One for each text of roots: keytool is a Java of its own, and takes its time. */
function clientStore(roots: string, folder: Folder): string {
  const name = createHash('sha256').update(readFileSync(roots)).digest('hex').slice(0, 16);
  const store = `${folder.path}/${name}.p12`;
  if (existsSync(store)) return store;
  const args = ['-importcert', '-noprompt', '-alias', 'root', '-file', roots, '-keystore', store];
  execFileSync(programOf('keytool'), [...args, '-storetype', 'PKCS12', '-storepass', 'changeit'], { stdio: 'pipe' });
  return store;
}

/** CATALINA_BASE with these connectors and one file to serve. */
export function prepareTomcat(folder: Folder, connectors: string): void {
  const host = '<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="apps" /></Engine>';
  for (const name of ['conf', 'apps', 'apps/ROOT', 'logs', 'temp', 'work']) folder.makeFolder(name);
  const service = `<Service name="Catalina">${connectors}${host}</Service>`;
  folder.write('conf/server.xml', `<Server port="-1">${service}</Server>`);
  folder.write('conf/web.xml', defaults);
  folder.write('apps/ROOT/index.html', 'granted\n');
}

/** The default servlet serves the one file; the rest of Tomcat's own web.xml is about other things. */
const defaults = `<web-app>
  <servlet><servlet-name>default</servlet-name>
    <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <welcome-file-list><welcome-file>index.html</welcome-file></welcome-file-list>
</web-app>`;
