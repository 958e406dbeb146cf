// Gradio's sign that the page is loading counts seconds at every frame, and goes on when the sign is gone: sixty frames a
// second for as long as the page is open. Whoever misses one frame counts no more, so when the page has come, what counts
// seconds gets none for a moment.
{
  const MOMENT = 200; // milliseconds
  const frame = window.requestAnimationFrame.bind(window);
  let isOver = false;
  window.requestAnimationFrame = (draw) => (isOver && String(draw).includes('performance.now()') ? 0 : frame(draw));
  new MutationObserver((_, watcher) => {
    if (!document.getElementById('frame')) return; // the page's own
    watcher.disconnect();
    isOver = true;
    setTimeout(() => { isOver = false; }, MOMENT);
  }).observe(document.documentElement, {childList: true, subtree: true});
}
