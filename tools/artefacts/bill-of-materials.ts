// sbom.cdx.json: the contents of each artefact, as CycloneDX 1.6. https://cyclonedx.org/docs/1.6/json/
import { createHash } from 'node:crypto';
import type { BundledPackage } from '../build/bundled-packages.ts';
import { manifest } from '../build/manifest.ts';
import type { Commit } from './image.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { type DebianPackage, suite } from './system-libraries.ts';

export interface Artefact {
  /** The name of the file. */
  readonly name: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly packages: readonly BundledPackage[];
  readonly node?: NodeRuntime;
  readonly debian?: readonly DebianPackage[];
}

/** Depends on the commit and the artefacts only: no time of day, no random number. */
export function billOfMaterials(artefacts: readonly Artefact[], commit: Commit): object {
  const components = new Map<string, object>();
  const dependencies = artefacts.map((artefact) => {
    const parts = partsOf(artefact);
    for (const part of parts) components.set(part['bom-ref'], part);
    return { ref: artefact.name, dependsOn: parts.map((part) => part['bom-ref']) };
  });
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(artefacts)}`,
    version: 1,
    metadata: {
      timestamp: new Date(commit.seconds * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': 'countersign',
        name: 'countersign',
        version: manifest.version,
        description: manifest.description,
        licenses: [{ expression: manifest.license }],
        properties: [{ name: 'countersign:commit', value: commit.id }],
        components: artefacts.map(({ name, digest }) => ({
          type: name.includes('-image-') ? 'container' : 'application',
          'bom-ref': name,
          name,
          version: manifest.version,
          hashes: [{ alg: 'SHA-256', content: digest.slice('sha256:'.length) }],
        })),
      },
    },
    components: [...components].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component),
    dependencies: [{ ref: 'countersign', dependsOn: artefacts.map(({ name }) => name) }, ...dependencies],
  };
}

function partsOf({ packages, node, debian = [] }: Artefact) {
  return [
    ...packages.map(({ name, version, license }) => {
      const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ expression: license }] };
    }),
    ...(node ? nodeParts(node) : []),
    ...debian.map(({ name, version, architecture }) => {
      const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${suite}`;
      return { type: 'library', 'bom-ref': purl, name, version, purl };
    }),
  ];
}

/** Node with the libraries that its executable contains, of which advisories speak by their own names. */
function nodeParts({ package: name, version, integrity }: NodeRuntime) {
  if (process.versions.node !== version) throw new Error(`The release must run with Node ${version}.`);
  const purl = `pkg:npm/${name}@${version}`;
  const [algorithm = '', hash = ''] = integrity.split('-');
  const content = Buffer.from(hash, 'base64').toString('hex');
  const libraries = Object.entries(process.versions)
    .filter(([library]) => !['node', 'modules', 'napi', 'unicode', 'cldr', 'tz'].includes(library))
    .map(([library, value]) => ({
      type: 'library',
      'bom-ref': `${purl}#${library}`,
      name: library,
      version: value ?? '',
    }));
  const hashes = [{ alg: algorithm.replace(/^sha/, 'SHA-'), content }];
  return [{ type: 'platform', 'bom-ref': purl, name, version, purl, hashes, components: libraries }];
}

/** Of the names and contents of the artefacts; version 8 of RFC 9562. */
function uuidOf(artefacts: readonly Artefact[]): string {
  const text = artefacts.map(({ name, digest }) => `${name} ${digest}\n`).join('');
  const hex = createHash('sha256').update(text).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}
