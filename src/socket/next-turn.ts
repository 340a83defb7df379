/**
 * A busy link gives others their turn: what still waits is taken behind them, by one call at a time however often it is
 * asked for.
 */
export function createNextTurn(run: () => void): () => void {
  let queued = false;
  return () => {
    if (queued) return;
    queued = true;
    setImmediate(() => {
      queued = false;
      run();
    });
  };
}
