// Emoji to react with, in the form that Unicode calls fully qualified, each with the words by which
// it is found. A choice, not all there are: what others reacted with is shown whatever it is.

/** What is offered before anything is typed. */
export const COMMON = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "✅", "🔥", "👏", "🤔"];

const WORDS = `
👍 thumbs up yes like agree good
👎 thumbs down no dislike
❤️ red heart love
😂 tears of joy laugh lol funny
🎉 party popper celebrate tada congratulations
😮 open mouth wow surprised
😢 crying sad tear
🙏 folded hands thanks please pray
👀 eyes look see
✅ check mark done yes
🔥 fire hot lit
👏 clapping hands applause bravo
🤔 thinking hmm wonder
😀 grinning happy smile
😃 smiley happy
😄 smile happy
😁 beaming grin
😆 squinting laugh
😅 sweat smile relief nervous
🤣 rolling on the floor laughing rofl
🙂 slightly smiling
🙃 upside down silly
😉 wink
😊 blush smiling happy
😇 halo angel innocent
🥰 smiling hearts love
😍 heart eyes love
😘 kiss
😋 yum delicious tasty
😜 winking tongue joke
🤪 zany crazy
🤗 hugging hug
🤭 hand over mouth giggle oops
🤫 shushing quiet secret
🫡 salute yes sir
🤐 zipper mouth secret
😐 neutral meh
😑 expressionless
😏 smirk
🙄 rolling eyes
😬 grimace awkward
😌 relieved calm
😴 sleeping tired zzz
🤒 thermometer ill sick
🤯 exploding head mind blown
🥳 partying celebrate birthday
😎 sunglasses cool
🤓 nerd
😕 confused
🙁 slightly frowning sad
😳 flushed embarrassed
🥺 pleading please
😭 loudly crying sob
😱 screaming fear shock
😤 triumph huff
😡 angry pouting mad
😈 smiling horns devil
💀 skull dead
💩 poo
🤡 clown
👻 ghost
👽 alien
🤖 robot
🙈 see no evil monkey
🙊 speak no evil monkey
💯 hundred perfect
💥 collision boom
💫 dizzy star
💤 zzz sleep
👋 waving hand hello bye
✋ raised hand stop
👌 ok hand perfect
✌️ victory peace
🤞 crossed fingers luck
🤟 love you gesture
🤘 horns rock
👉 pointing right
👈 pointing left
☝️ pointing up
✊ raised fist
👊 fist bump
🙌 raising hands hooray
🫶 heart hands love
🤝 handshake deal
💪 biceps strong muscle
🧠 brain smart
🫠 melting
🤷 shrug dunno
🤦 facepalm
🙋 raising hand me question
🏃 running hurry
💃 dancing
🧡 orange heart
💛 yellow heart
💚 green heart
💙 blue heart
💜 purple heart
🖤 black heart
💔 broken heart
💕 two hearts love
⭐ star
🌟 glowing star
✨ sparkles shiny new
⚡ high voltage lightning fast
☀️ sun sunny
🌙 moon night
🌈 rainbow
❄️ snowflake cold winter
🌊 wave water
🐦 bird
🦉 owl
🦆 duck
🦅 eagle
🐧 penguin
🐣 hatching chick
🦜 parrot
🐱 cat
🐶 dog
🦊 fox
🐻 bear
🐝 bee
🦋 butterfly
🐛 bug
🐢 turtle slow
🦄 unicorn
🌱 seedling plant grow
🌸 cherry blossom flower
🌹 rose
🍀 clover luck
🍎 apple
🍕 pizza
🍔 hamburger
🍟 fries
🍰 cake
🎂 birthday cake
🍪 cookie
☕ coffee tea hot
🍺 beer
🍻 cheers beers
🥂 champagne toast cheers
🍾 bottle celebrate
⚽ football soccer
🏆 trophy win
🥇 gold medal first
🎯 target bullseye exactly
🎁 present gift
🎈 balloon
🎵 music note
🎸 guitar
🚀 rocket launch ship
🚗 car
🚲 bicycle bike
✈️ aeroplane flight travel
🏠 house home
⏰ alarm clock time
⏳ hourglass waiting
💡 light bulb idea
💰 money bag
📌 pushpin pin
📎 paperclip
📝 memo note write
📚 books read
📅 calendar date
📈 chart up increase
📉 chart down decrease
🔒 lock locked secure
🔑 key
🔧 wrench fix tool
🔨 hammer build
🐞 beetle bug
🧪 test tube experiment
💻 laptop computer
📱 phone mobile
📷 camera photo
🔔 bell notify
🔍 magnifying glass search
❓ question
❗ exclamation important
⚠️ warning
🚫 prohibited no
❌ cross no wrong
➕ plus add
➖ minus remove
♻️ recycle
🆗 ok
🆕 new
🔴 red circle
🟡 yellow circle
🟢 green circle
🏁 finish flag
🏳️‍🌈 rainbow flag pride
`;

const ALL = WORDS.trim()
  .split("\n")
  .map((line) => {
    const [emoji, ...words] = line.split(" ");
    return { emoji, words };
  });
const NAMES = new Map(ALL.map(({ emoji, words }) => [emoji, words.slice(0, 3).join(" ")]));

/** What to call it where it is only heard. */
export function nameOf(emoji) {
  return NAMES.get(emoji) ?? emoji;
}

/** Emoji of which every word of the query begins a word; all of them where nothing is asked. */
export function search(query, most) {
  const asked = query.toLowerCase().split(/\s+/).filter(Boolean);
  return ALL.filter(({ words }) =>
    asked.every((begun) => words.some((word) => word.startsWith(begun))),
  )
    .slice(0, most)
    .map(({ emoji }) => emoji);
}
