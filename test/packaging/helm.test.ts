/** The chart: rendered by Helm itself, every object held against Kubernetes' own schemas, its configuration checked. */

import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { parseAllDocuments, parse as parseYaml, stringify } from 'yaml';
import { fmsCollector } from '../support/collector-process.ts';
import { containerTool, whyWithout } from '../support/container-tools.ts';
import type { Manifest } from '../support/kubernetes.ts';
import { KubernetesSchemas } from '../support/kubernetes.ts';
import { whyNotWithout } from '../support/programs.ts';

const CHART = join(import.meta.dirname, '../../packaging/helm/fms');
const IMAGE = join(import.meta.dirname, '../../packaging/image/Dockerfile');
const COMPONENTS = ['intake', 'process', 'serve', 'write'];
const FIRST_AND_LAST = ['1.32', '1.37'];
t.setTimeout(1_200_000);

const helm = containerTool('helm');
const schemas = containerTool('kubernetes-schemas');
const skip = whyWithout(helm, schemas);

/** The least that must be said. */
const LEAST = {
  names: ['collector.plant.example', '192.0.2.10'],
  authority: { existingSecret: 'plant-authority' },
  kafka: { brokers: ['kafka:9092'] },
  clickhouse: { url: 'http://clickhouse:8123', existingSecret: 'plant-clickhouse' },
};

/** Everything that the chart can do. */
const MOST = {
  names: ['collector.plant.example'],
  image: { repository: 'registry.example/fms-collector', digest: `sha256:${'0a'.repeat(32)}` },
  imagePullSecrets: [{ name: 'registry' }],
  config: {
    sites: { plant1: { time_zone: 'Asia/Seoul', day_start: '06:00' } },
    access: { session_hours: 24 },
    log: { retention_hours: 24 },
    store: { retention_days: 100 },
    ca: { gateway_days: 30 },
    mqtt: { max_connections: 500, tls: { port: 1 } },
  },
  profiles: { 'press.yaml': 'match: [{ device: "press-*" }]\nchannels: {}\n' },
  authority: { certificate: 'PEM of the certificate', key: 'PEM of the key' },
  kafka: {
    brokers: ['kafka-0.kafka:9093', 'kafka-1.kafka:9093'],
    tls: { enabled: true, ca: 'PEM of the brokers' },
    sasl: { mechanism: 'scram-sha-512', password: 'kafka-password' },
  },
  clickhouse: {
    url: 'https://clickhouse:8443',
    tls: { ca: 'PEM of the server' },
    password: 'clickhouse-password',
  },
  components: { process: { replicas: 1 } },
  gateways: {
    service: {
      type: 'NodePort',
      nodePort: 30883,
      annotations: { 'example.com/a': 'b' },
      loadBalancerSourceRanges: ['10.0.0.0/8'],
    },
  },
  pages: { service: { type: 'LoadBalancer' } },
  networkPolicy: {
    pagesFrom: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
  },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  podAnnotations: { 'example.com/c': 'd' },
  podLabels: { team: 'plant' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'plant', operator: 'Exists', effect: 'NoSchedule' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'high',
};

interface Container {
  image: string;
  args?: string[];
  securityContext?: Record<string, unknown>;
  resources?: { requests?: object; limits?: object };
  ports?: { name: string }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  env?: { name: string; value?: string }[];
  startupProbe?: object;
  livenessProbe?: { httpGet: { path: string } };
  readinessProbe?: { httpGet: { path: string } };
}

interface Pod {
  securityContext?: Record<string, unknown>;
  automountServiceAccountToken?: boolean;
  hostNetwork?: boolean;
  containers: Container[];
  volumes: Record<string, unknown>[];
  topologySpreadConstraints?: unknown[];
}

function render(t: Test, values: object, name = 'plant'): Manifest[] {
  const file = join(t.testdir(), 'values.yaml');
  writeFileSync(file, stringify(values));
  const args = ['template', name, CHART, '--namespace', 'fms', '--values', file];
  const text = execFileSync(helm.path, args, {
    encoding: 'utf8',
    env: ownFolders(t),
    stdio: 'pipe',
  });
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Helm writes nothing into the home of who runs the tests. */
function ownFolders(t: Test): NodeJS.ProcessEnv {
  const home = join(t.testdirName, 'home');
  mkdirSync(home, { recursive: true });
  return { PATH: process.env.PATH, HOME: home };
}

function refusal(t: Test, values: object): string {
  try {
    render(t, values);
    return '';
  } catch (error) {
    return String((error as { stderr?: string }).stderr ?? error);
  }
}

const podOf = (manifest: Manifest): Pod | undefined => {
  if (manifest.kind === 'Pod') return manifest.spec as Pod;
  if (manifest.kind !== 'Deployment') return undefined;
  return (manifest.spec as { template: { spec: Pod } }).template.spec;
};

const ofKind = (manifests: Manifest[], kind: string): Manifest[] =>
  manifests.filter((manifest) => manifest.kind === kind);

t.test('helm lint', { skip }, async (t) => {
  const file = join(t.testdir(), 'values.yaml');
  writeFileSync(file, stringify(LEAST));
  const args = ['lint', '--strict', CHART, '--values', file];
  const { status, stdout, stderr } = spawnSync(helm.path, args, {
    encoding: 'utf8',
    env: ownFolders(t),
  });
  t.equal(status, 0, `${stdout}${stderr}`);
});

t.test('what Kubernetes would say', { skip }, async (t) => {
  const all = [render(t, LEAST), render(t, MOST), render(t, LEAST, 'a-fms-b')];
  for (const version of FIRST_AND_LAST) {
    const kubernetes = new KubernetesSchemas(schemas.path, version);
    const [bad] = ofKind(all[0] ?? [], 'Service');
    t.ok(kubernetes.mistakes({ ...bad, specs: {} } as never).length > 0, 'it finds mistakes');
    const wrongType = { ...bad, spec: { ports: [{ port: 'x' }] } } as never;
    t.ok(kubernetes.mistakes(wrongType).length > 0, 'of types, too');
    for (const manifests of all) {
      const known = manifests.filter((manifest) => manifest.kind !== 'ServiceMonitor');
      t.same(
        known.flatMap((manifest) => kubernetes.mistakes(manifest)),
        [],
        version,
      );
    }
  }
  const kinds = all.map((manifests) => manifests.map(({ kind }) => kind));
  t.equal(kinds[0]?.filter((kind) => kind === 'Deployment').length, 4);
  t.notOk(kinds[0]?.includes('Secret'), 'none but those that are there already');
  t.equal(kinds[1]?.filter((kind) => kind === 'Secret').length, 3);
  t.ok(kinds[1]?.includes('ServiceMonitor'));
});

t.test('pods keep to the restricted standard', { skip }, async (t) => {
  for (const manifest of [...render(t, LEAST), ...render(t, MOST)]) {
    const pod = podOf(manifest);
    if (pod === undefined) continue;
    const { name } = manifest.metadata;
    t.match(pod.securityContext, {
      runAsNonRoot: true,
      runAsUser: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    t.equal(pod.automountServiceAccountToken, false, `${name}: no token`);
    t.notOk(pod.hostNetwork);
    for (const container of pod.containers) {
      t.match(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      t.ok(container.resources?.requests && container.resources.limits, `${name}: bounded`);
      t.notMatch(container.image, /latest|:$/);
    }
    t.ok(pod.volumes.every((volume) => !('hostPath' in volume)));
  }
  t.match(readFileSync(IMAGE, 'utf8'), 'USER 10001:10001', 'as the image has it');
});

t.test('parts belong together', { skip }, async (t) => {
  const manifests = render(t, MOST);
  const deployments = ofKind(manifests, 'Deployment');
  t.same(
    deployments.map(({ metadata }) => metadata.name).sort(),
    COMPONENTS.map((c) => `plant-fms-${c}`),
  );
  const labels = deployments.map(
    ({ spec }) =>
      (spec as { template: { metadata: Manifest['metadata'] } }).template.metadata.labels ?? {},
  );
  const chosen = (selector: Record<string, string>): number =>
    labels.filter((of) => Object.entries(selector).every(([name, value]) => of[name] === value))
      .length;
  for (const { spec } of deployments)
    t.equal(
      chosen((spec as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels),
      1,
    );
  const services = ofKind(manifests, 'Service').map(({ metadata, spec }) => {
    const { selector, ports } = spec as {
      selector: Record<string, string>;
      ports: { targetPort: string }[];
    };
    return [metadata.name, chosen(selector), ports.map(({ targetPort }) => targetPort).join()];
  });
  t.same(services.sort(), [
    ['plant-fms', 1, 'https'],
    ['plant-fms-gateways', 1, 'mqtts'],
    ['plant-fms-metrics', 4, 'https'],
  ]);
  const budgets = ofKind(manifests, 'PodDisruptionBudget').map(({ metadata }) => metadata.name);
  t.same(
    budgets.sort(),
    ['plant-fms-intake', 'plant-fms-serve', 'plant-fms-write'],
    'none for a single one',
  );

  for (const deployment of deployments) {
    const component = deployment.metadata.labels?.['app.kubernetes.io/component'] ?? '';
    const [container] = podOf(deployment)?.containers ?? [];
    t.same(container?.args, ['run', '--components', component]);
    t.equal(container?.livenessProbe?.httpGet.path, '/healthz');
    t.equal(container?.readinessProbe?.httpGet.path, '/readyz');
    t.ok(container?.startupProbe);
    t.equal(podOf(deployment)?.topologySpreadConstraints?.length, 2);
    const mounted = container?.volumeMounts?.map(({ name }) => name) ?? [];
    t.same(
      mounted,
      podOf(deployment)?.volumes.map(({ name }) => name),
      'what is mounted is there',
    );
    const knowsStore = component === 'write' || component === 'serve';
    t.equal(
      mounted.includes('clickhouse'),
      knowsStore,
      `${component}: the store's password or not`,
    );
    t.equal(
      container?.ports?.some(({ name }) => name === 'mqtts'),
      component === 'intake',
    );
  }
  const secrets = ofKind(manifests, 'Secret').map(({ metadata }) => metadata.name);
  for (const name of secrets) t.match(JSON.stringify(deployments), name);
  t.notMatch(
    JSON.stringify(ofKind(manifests, 'ConfigMap')),
    /password"|kafka-password|clickhouse-password/,
  );
  const tests = manifests.filter(
    ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test',
  );
  t.same(
    tests.map(podOf).map((pod) => pod?.containers[0]?.args?.[0]),
    ['health'],
  );
});

t.test(
  'the collectors take the configuration',
  { skip: skip || whyNotWithout('openssl') },
  async (t) => {
    for (const values of [LEAST, { ...MOST, kafka: { ...MOST.kafka, tls: { enabled: true } } }]) {
      const manifests = render(t, values);
      const files = (ofKind(manifests, 'ConfigMap')[0]?.data ?? {}) as Record<string, string>;
      const folder = t.testdir({ data: {}, secrets: {}, profiles: {} });
      for (const [name, text] of Object.entries({ password: 'x', ...authority(folder) }))
        writeFileSync(join(folder, 'secrets', name), text);
      const text = (files['collector.yaml'] ?? '')
        .replaceAll(/\/run\/secrets\/\w+\//g, `${folder}/secrets/`)
        .replaceAll('/etc/fms-collector/clickhouse-ca.crt', `${folder}/secrets/tls.crt`)
        .replace('/etc/fms-collector/profiles', `${folder}/profiles`)
        .replace('/var/lib/fms-collector', `${folder}/data`);
      t.notMatch(text, /\/(run|etc|var)\//, 'nothing else is named');
      const file = join(folder, 'collector.yaml');
      writeFileSync(file, text);
      for (const component of COMPONENTS) {
        const { code, output } = await fmsCollector(
          t,
          'check',
          '--config',
          file,
          '--components',
          component,
        );
        t.equal(code, 0, code === 0 ? component : output);
      }
      const { mqtt } = parseYaml(text) as {
        mqtt: { plain: boolean; tls: { port: number; names: string[] } };
      };
      t.equal(mqtt.plain, false);
      t.equal(mqtt.tls.port, 8883, 'what the chart says holds');
      t.ok(
        mqtt.tls.names.includes('collector.plant.example') &&
          mqtt.tls.names.includes('plant-fms.fms.svc'),
      );
    }
  },
);

t.test('mistakes in the values are said', { skip }, async (t) => {
  const { names, kafka, clickhouse, ...rest } = LEAST;
  const cases: [object, RegExp][] = [
    [{ ...rest, kafka, clickhouse }, /names/],
    [{ ...LEAST, kafka: { brokers: [] } }, /brokers/],
    [{ ...LEAST, kafka: { brokers: ['kafka'] } }, /brokers/],
    [{ ...LEAST, clickhouse: { existingSecret: 'x' } }, /url/],
    [{ ...LEAST, clickhouse: { url: 'http://c:8123' } }, /clickhouse\.existingSecret or/],
    [{ ...LEAST, authority: {} }, /authority\.existingSecret, or/],
    [{ ...LEAST, image: { tag: 'latest' } }, /tag/],
    [{ ...LEAST, image: { digest: 'sha256:12' } }, /digest/],
    [{ ...LEAST, nonsense: 1 }, /nonsense/],
    [{ ...LEAST, components: { intake: { replicas: 0 } } }, /replicas/],
    [{ ...LEAST, config: { data_dir: '/x' } }, /data_dir/],
    [
      { names, ...rest, clickhouse, kafka: { ...kafka, sasl: { mechanism: 'plain' } } },
      /sasl\.password/,
    ],
  ];
  for (const [values, said] of cases) t.match(refusal(t, values), said, String(said));
});

/** A certificate that may issue others, and its key. */
function authority(folder: string): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const file = join(folder, 'secrets/tls.key');
  writeFileSync(file, key);
  const args = ['req', '-x509', '-new', '-key', file, '-subj', '/CN=plant', '-days', '30'];
  const certificate = execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
  return { 'tls.key': key, 'tls.crt': certificate };
}
