import { screen, type BrowserWindow, type Rectangle } from 'electron';

/** The part of a window that has to be on a display for a person to take hold of it, in pixels. */
const GRIP = { width: 80, height: 24 };

/** The pause between two tellings of the place of a window that is dragged. */
const PLACE_EVERY_MS = 100;

/**
 * Where a window is put that was to be at these bounds: there, or in the middle of the display
 * that is nearest, where its own is gone. It is no larger than the display.
 */
export function visiblePlace(wanted: Rectangle): Rectangle {
  const { workArea: area } = screen.getDisplayMatching(wanted);
  const width = Math.min(wanted.width, area.width);
  const height = Math.min(wanted.height, area.height);
  if (isWithinReach(wanted)) return { ...wanted, width, height };
  const x = area.x + Math.floor((area.width - width) / 2);
  const y = area.y + Math.floor((area.height - height) / 2);
  return { x, y, width, height };
}

/** Whether enough of the upper edge, by which a window is moved, is on a display. */
function isWithinReach({ x, y, width }: Rectangle): boolean {
  return screen.getAllDisplays().some(({ workArea: area }) => {
    const shown = Math.min(x + width, area.x + area.width) - Math.max(x, area.x);
    const isOnIt = y >= area.y - GRIP.height && y + GRIP.height <= area.y + area.height;
    return isOnIt && shown >= Math.min(GRIP.width, width);
  });
}

/** Tells the place of a window when it has been opened, moved or resized. */
export class WindowPlace {
  private pausing: ReturnType<typeof setTimeout> | undefined;
  private hasMoved = false;

  constructor(
    private readonly window: BrowserWindow,
    private readonly tell: (bounds: Rectangle) => void,
  ) {
    const moved = (): void => {
      this.hasMoved = true;
      if (this.pausing === undefined) this.now();
    };
    window.on('move', moved);
    window.on('resize', moved);
    window.once('closed', () => clearTimeout(this.pausing));
  }

  /** Tells it at once. A window that is maximised has the place that it goes back to. */
  now(): void {
    if (this.window.isDestroyed()) return;
    this.hasMoved = false;
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => {
      this.pausing = undefined;
      if (this.hasMoved) this.now();
    }, PLACE_EVERY_MS);
    this.tell(this.window.getNormalBounds());
  }
}
