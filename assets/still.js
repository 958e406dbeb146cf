// Whoever asked their system for less motion gets none from Gradio either: its messages fade and fly by script, where
// no rule of a style sheet reaches. Every animation has ended as soon as it begins.
(() => {
  const less = matchMedia('(prefers-reduced-motion: reduce)'), {animate} = Element.prototype;
  Element.prototype.animate = function still(frames, options) {
    if (!less.matches) return animate.call(this, frames, options);
    return animate.call(this, frames, {...(typeof options === 'object' ? options : {}), duration: 0, delay: 0});
  };
})();
