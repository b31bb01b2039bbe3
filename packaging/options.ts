/** What `npm run package` is asked for, as every part of it gets it. */

export const ARCHITECTURES = ['x64', 'arm64'] as const;
/** As node names them. */
export type Architecture = (typeof ARCHITECTURES)[number];

/** As Debian names them. */
export const DEBIAN_ARCHITECTURES: Readonly<Record<Architecture, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
};

export interface PackageOptions {
  architectures: readonly Architecture[];
  /** As package.json writes versions: 1.2.3 or 1.2.3-rc.1. */
  version: string;
  /** Folder of the finished files; it exists. */
  out: string;
  /** For tests: compress little. What is inside is the same. */
  quick: boolean;
  /** Seconds since 1970 of everything inside, so that the same sources give the same bytes. */
  epochSeconds: number;
  say: (line: string) => void;
}

/** What is wrong with the command line or missing on this machine: told without a stack. */
export class PackagingError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PackagingError';
  }
}

/** Debian sorts 1.2.3~rc.1 before 1.2.3. */
export function debianVersion(version: string): string {
  return version.replace('-', '~');
}
