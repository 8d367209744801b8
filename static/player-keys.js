// What the player does by keys; the notes and the transcript register their own.
import { register } from "./keys.js";

export function registerKeys(player) {
  const move = (by) => () => player.seek(player.time + by);
  register("Play", ["Space", "k"], "Play or pause", () => player.toggle());
  register("Play", "ArrowLeft", "Back 5 seconds", move(-5));
  register("Play", "ArrowRight", "On 5 seconds", move(5));
  register("Play", "j", "Back 10 seconds", move(-10));
  register("Play", "l", "On 10 seconds", move(10));
  register("Play", "<", "Slower", () => player.changeSpeed(-1));
  register("Play", ">", "Faster", () => player.changeSpeed(1));
  register("Play", "s", "Skip silence, or not", () => player.setSkip(!player.find("skip").checked, true));
  register("Go to", [..."0123456789"], "A tenth: 5 is the middle", ({ key }) =>
    player.seek((player.duration * Number(key)) / 10),
  );
  register("Go to", "Home", "Start", () => player.seek(0));
  register("Go to", "End", "End", () => player.seek(player.duration));
  register("Go to", "p", "Next pause or event", () => player.nextMark());
  register("Look", ["+", "="], "Closer", () => player.timeline.zoom.change(2));
  register("Look", "-", "From further away", () => player.timeline.zoom.change(0.5));
  register("Loop", "[", "Loop from here", () => player.setLoopFrom());
  register("Loop", "]", "Loop up to here", () => player.setLoopTo());
  register("Loop", "\\", "No loop", () => (player.span = null));
  const follow = (name) => () => document.querySelector(`[data-neighbour=${name}]`)?.click() ?? false;
  register("Results", "n", "Next recording", follow("next"));
  register("Results", "b", "Recording before", follow("previous"));
}
