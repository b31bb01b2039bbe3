/** A page with a defect says so, and leaves the others alone. */

import type { ReactNode } from 'react';
import { Component } from 'react';
import { Failure } from '../ui/states.tsx';

interface Props {
  children: ReactNode;
}

export class PageBoundary extends Component<Props, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return <Failure error={error} retry={() => this.setState({ error: undefined })} />;
  }
}
