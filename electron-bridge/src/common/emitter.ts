import { throwLater } from './uncaught';

type Listener<Value> = (value: Value) => void;

/** Typed events with one value each; runs in pages too, where Node's own is not there. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Returns a function that takes the listener off again. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const known = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, known.add(listener));
    return () => this.off(name, listener);
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const stop = this.on(name, (value) => {
      stop();
      listener(value);
    });
    return stop;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.listeners.get(name)?.delete(listener);
  }

  /** Returns whether anyone listened. */
  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): boolean {
    const listeners = [...(this.listeners.get(name) ?? [])];
    for (const listener of listeners) {
      try {
        (listener as Listener<Events[Name]>)(value);
      } catch (error) {
        throwLater(error);
      }
    }
    return listeners.length > 0;
  }
}
