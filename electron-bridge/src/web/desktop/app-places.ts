// The windows that the desktop page opened and the frames that it has, and who is in which.

/** Steps from a page to the desktop page: frames in frames, and windows that apps opened. */
const MAX_STEPS = 16;

/** A place where an app's page is. */
export interface AppPlace {
  readonly kind: 'window' | 'frame';
  readonly target: Window;
  readonly isGone: boolean;
  focus(): void;
  close(): void;
}

/** A window of its own, which the desktop page opened or an app's page did. */
export class AppWindow implements AppPlace {
  readonly kind = 'window';

  constructor(readonly target: Window) {}

  get isGone(): boolean {
    return this.target.closed;
  }

  focus(): void {
    this.target.focus();
  }

  close(): void {
    this.target.close();
  }
}

/** A frame in the desktop page. */
export class AppFrame implements AppPlace {
  readonly kind = 'frame';

  constructor(
    readonly element: HTMLIFrameElement,
    readonly target: Window,
    private readonly onFocus: () => void,
  ) {}

  get isGone(): boolean {
    return !this.element.isConnected;
  }

  focus(): void {
    this.onFocus();
  }

  close(): void {
    this.element.remove();
  }
}

/** Whether a page's window came from this one: it opened it, has it in a frame, or an app of its has. */
export function descendsFrom(page: Window, root: Window): boolean {
  let at: Window | null = page;
  for (let step = 0; step < MAX_STEPS && at; step += 1) {
    if (at === root) return true;
    // A page may read these of any window, whatever its origin.
    at = (at.parent === at ? at.opener : at.parent) as Window | null;
  }
  return false;
}
