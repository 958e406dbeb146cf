// Gradio's sign that the page is loading counts seconds at every frame, and goes on when the sign is gone: sixty frames a
// second for as long as the page is open. Whoever misses one frame counts no more, so when the page has come, what counts
// seconds gets none, until it has asked in vain and a moment has passed.
{
  const MOMENT = 200; // milliseconds
  const frame = window.requestAnimationFrame.bind(window);
  let isOver = false;
  const refuse = () => {
    setTimeout(() => { isOver = false; }, MOMENT);
    return 0;
  };
  window.requestAnimationFrame = (draw) => (isOver && String(draw).includes('performance.now()') ? refuse() : frame(draw));
  new MutationObserver((_, watcher) => {
    if (!document.getElementById('frame')) return; // the page's own
    watcher.disconnect();
    isOver = true;
  }).observe(document.documentElement, {childList: true, subtree: true});
}
