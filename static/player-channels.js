// Each channel's own loudness. Web Audio takes the sound over only when somebody first asks for
// it: until then the browser's plain way plays, which costs nothing.
//
//   audio -> splitter -> a gain per channel and ear -> merger -> ears
//
// Alone, a side is heard in both ears.
export class Channels {
  constructor(player) {
    this.player = player;
    this.sides = [...player.querySelectorAll("[data-channel]")].map((side) => ({
      channel: Number(side.dataset.channel),
      mute: side.querySelector("[data-mute]"),
      level: side.querySelector("[data-level]"),
    }));
    for (const { mute, level } of this.sides) {
      mute.addEventListener("click", () => {
        mute.setAttribute("aria-pressed", mute.getAttribute("aria-pressed") !== "true");
        this.apply();
      });
      level.addEventListener("input", () => this.apply());
    }
  }

  // Browsers hold a new context back until somebody acts.
  wake() {
    this.context?.resume();
  }

  apply() {
    try {
      this.context ||= this.open();
    } catch {
      this.player.complain("This browser cannot play the sides apart.");
      return;
    }
    this.wake();
    const levels = [];
    for (const { channel, mute, level } of this.sides) {
      levels[channel] = mute.getAttribute("aria-pressed") === "true" ? 0 : Number(level.value);
    }
    for (const [channel, ears] of this.gains.entries()) {
      const isAlone = levels[1 - channel] === 0;
      ears.forEach((gain, ear) => {
        gain.gain.value = ear === channel || isAlone ? levels[channel] : 0;
      });
    }
  }

  open() {
    const context = new AudioContext();
    const splitter = context.createChannelSplitter(2);
    const merger = context.createChannelMerger(2);
    context.createMediaElementSource(this.player.audio).connect(splitter);
    this.gains = [0, 1].map((channel) =>
      [0, 1].map((ear) => {
        const gain = context.createGain();
        splitter.connect(gain, channel);
        gain.connect(merger, 0, ear);
        return gain;
      }),
    );
    merger.connect(context.destination);
    return context;
  }
}
