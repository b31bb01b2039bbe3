/** Kubernetes' own schemas of its objects, strict: what they do not know is a mistake. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { Ajv2020 } from 'ajv/dist/2020.js';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [key: string]: unknown;
}

interface Definition {
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

export class KubernetesSchemas {
  readonly #ajv: Ajv2020;
  readonly #id: string;
  readonly #names = new Map<string, string>();
  readonly #compiled = new Map<string, ValidateFunction>();

  /** `folder` of the tool kubernetes-schemas; `version` such as 1.37. */
  constructor(folder: string, version: string) {
    const of = `kubernetes_validate/kubernetes-json-schema/v${version}.0-local-strict`;
    const text = readFileSync(join(folder, of, '_definitions.json'), 'utf8');
    const schema = JSON.parse(text) as { $id: string; $defs: Record<string, Definition> };
    this.#id = schema.$id;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    this.#ajv.addSchema(schema);
    for (const [name, definition] of Object.entries(schema.$defs))
      for (const { group, version: v, kind } of definition['x-kubernetes-group-version-kind'] ?? [])
        this.#names.set(`${group === '' ? v : `${group}/${v}`} ${kind}`, name);
  }

  knows({ apiVersion, kind }: Manifest): boolean {
    return this.#names.has(`${apiVersion} ${kind}`);
  }

  /** What is wrong with it, a line each. */
  mistakes(manifest: Manifest): string[] {
    const key = `${manifest.apiVersion} ${manifest.kind}`;
    const name = this.#names.get(key);
    if (name === undefined) return [`Kubernetes knows no ${key}`];
    let validate = this.#compiled.get(name);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `${this.#id}#/$defs/${name}` });
      this.#compiled.set(name, validate);
    }
    const isRight: boolean = validate(manifest as unknown);
    if (isRight) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${manifest.kind} ${manifest.metadata.name}${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  }
}
