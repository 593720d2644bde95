import { Component, type ReactNode } from "react";

interface Props {
  /** Another value is another chance. */
  of: unknown;
  children: ReactNode;
}

/** Keeps a fault in one part, say an answer in an unknown shape, from taking the editors with it. */
export class Guard extends Component<Props, { fault: string | null }> {
  override state = { fault: null as string | null };

  static getDerivedStateFromError(error: unknown) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override componentDidUpdate(previous: Props) {
    if (previous.of !== this.props.of && this.state.fault) this.setState({ fault: null });
  }

  override render() {
    if (this.state.fault === null) return this.props.children;
    return <p className="panel-note is-error">This cannot be shown: {this.state.fault}</p>;
  }
}
