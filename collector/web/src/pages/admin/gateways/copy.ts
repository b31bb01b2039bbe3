/** Copies a text, and says whether the browser allowed it. */

import { useState } from 'react';

export interface Copying {
  /** Undefined: nothing was copied yet. */
  copied: boolean | undefined;
  copy: (text: string) => Promise<void>;
}

export function useCopy(): Copying {
  const [copied, setCopied] = useState<boolean>();
  const copy = async (text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // Not over plain HTTP from another machine: then one marks and copies it.
      setCopied(false);
    }
  };
  return { copied, copy };
}

/** Hands a text to the browser to save. */
export function saveText(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
