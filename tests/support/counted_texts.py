"""Texts of many kinds, and how many tokens each has for two tokenizers that are published.

The texts were written for this; docs/counting.md says how the counts were taken, which are frozen here because the
tokenizers take up to 150 MB.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final, NamedTuple


class Counted(NamedTuple):
    kind: str
    text: str
    o200k: int
    """What OpenAI's `o200k_base` says."""
    claude_2: int
    """What Anthropic's says, of the text in Unicode's form NFKC."""


ENGLISH = """\
The lighthouse keeper had not spoken to anyone for eleven days when the supply boat finally came around the headland.
She had counted the days by marking the door frame with a kitchen knife, a habit she had picked up from her grandfather,
who had once spent an entire winter cut off from the mainland and who claimed, whenever the story was told, that silence
was only frightening until you noticed how much of it was made of weather. By the time the captain threw the first rope
she had already decided that she would not ask for news. If something important had happened, he would tell her; and if
nothing had, then the less said about it the better. They unloaded flour, diesel, two crates of oranges and a letter
from the insurance company. "You look well," he said, which was kind of him, because she knew exactly how she looked.
"""

GERMAN = """\
Als die Straßenbahn an der Haltestelle Friedrichsplatz stehen blieb, stieg außer mir niemand aus. Der Regen hatte
aufgehört, aber von den Kastanien tropfte es noch, und auf dem Bürgersteig standen Pfützen, in denen sich die
Leuchtreklame der Apotheke spiegelte. Ich hatte mir vorgenommen, diesmal pünktlich zu sein, und war nun doch wieder eine
halbe Stunde zu früh. In der Bäckerei gegenüber wurden gerade die Stühle auf die Tische gestellt. Die Verkäuferin
schüttelte den Kopf, als ich die Tür öffnen wollte, überlegte es sich dann anders und reichte mir wortlos einen Becher
Kaffee durch den Spalt. Die Geschwindigkeitsbegrenzung, die Wohnungsbaugesellschaft, die Rechtsschutzversicherung:
über all das hatten wir schon am Telefon gesprochen, und trotzdem fühlte sich nichts davon entschieden an.
"""

FRENCH = """\
Ce matin-là, la boulangère avait oublié d'allumer l'enseigne, et plusieurs habitués passèrent devant la boutique sans
s'arrêter, persuadés qu'elle était fermée pour l'été. Il fallut qu'un enfant, envoyé chercher deux baguettes et demie
(la demie étant pour le chien), pousse la porte pour que l'on s'aperçoive de l'erreur. À dix heures, tout le quartier
en riait encore. On proposa de créer une association, on rédigea des statuts, on élut un président qui n'avait rien
demandé, et l'on décida à l'unanimité que l'enseigne resterait désormais allumée jour et nuit, quoi qu'en disent la
mairie et la facture d'électricité.
"""

SPANISH = """\
Nadie en el pueblo recordaba cuándo se había construido el puente, pero todos estaban de acuerdo en que llevaba
demasiado tiempo sin que pasara por él un río. La sequía había empezado el año en que nació mi hermana, y cuando ella
aprendió a nadar tuvo que hacerlo en la piscina del hotel, donde el agua olía a cloro y a crema bronceadora. Por las
tardes los viejos se sentaban en el pretil y discutían sobre el precio de las almendras, la última huelga de los
ferroviarios y las posibilidades que tenía el equipo de subir a segunda división, que eran pocas.
"""

RUSSIAN = """\
Поезд опаздывал уже на сорок минут, и пассажиры, которые сначала вежливо молчали, начали понемногу знакомиться друг с
другом. Оказалось, что женщина в зелёном пальто едет к сыну, которого не видела три года, что двое студентов везут на
выставку разобранный на части телескоп, а пожилой мужчина с тростью вообще никуда не едет: он просто любит приходить на
вокзал по воскресеньям и слушать объявления. Когда диктор наконец произнёс название нашего города, никто не двинулся с
места. Все смотрели на мужчину с тростью, словно он должен был разрешить нам ехать. Он улыбнулся, посмотрел на часы и
сказал, что торопиться некуда, потому что чай в вагоне всё равно ещё не заварили.
"""

CHINESE = """\
搬进这栋老房子的第一个晚上，我就听见阁楼上有人走动的声音。邻居说那是猫，房东说那是风，只有楼下修钟表的老先生认真地
想了一会儿，告诉我那是时间经过的脚步。后来我才知道，他对每个新来的房客都这样说。春天的时候，院子里的槐树开花了，
整条巷子都是甜的，孩子们放学以后不肯回家，坐在台阶上写作业，把铅笔屑撒得到处都是。我每天从他们中间走过，慢慢记住
了他们的名字，也记住了谁的数学不好，谁家的奶奶做的饺子最香。到了夏天，阁楼上的脚步声忽然停了，我反而睡不着，于是搬
了一把椅子坐到屋顶上，看见整座城市的灯一盏一盏地熄灭，像有人在轻轻地合上一本书。
"""

TRADITIONAL = """\
這家咖啡館開在市場的二樓，樓梯窄得只容一個人通過，所以上樓的人和下樓的人總要互相讓路，久而久之大家都認識了。老闆原本
是修理收音機的，店裡還擺著幾台真空管的老機器，天氣好的時候會放爵士樂，下雨天則只播新聞。我們約好每個星期三的下午在這裡
見面，說是要一起寫一齣舞台劇，其實三年來只寫了第一幕，其餘的時間都在討論晚餐要吃什麼。
"""

JAPANESE = """\
祖母の家には、誰も弾かないピアノが一台あった。鍵盤の蓋を開けると、古い紙とほこりの匂いがして、いちばん低い音だけが
少し遅れて鳴る。夏休みになると、わたしたちは順番にその音を鳴らして、どれだけ長く響くかを数えた。いとこはいつも
三十まで数えたと言い張ったけれど、わたしはどうしても二十を越えられなかった。祖母は台所で麦茶を作りながら、音は
消えるのではなくて、遠くへ出かけるだけなのよ、と笑っていた。その意味がわかったのは、ずっと後になって、誰もいない
家の窓を開けて、風の中にあの低い音を聞いたような気がしたときだった。
"""

KOREAN = """\
비가 그치자 골목 끝의 세탁소에서 라디오 소리가 흘러나오기 시작했다. 주인아저씨는 다리미를 내려놓고 문을 활짝 열더니,
지나가는 사람마다 인사를 건넸다. 나는 우산을 접으며 오늘은 무슨 요일인지 물었고, 그는 달력을 보지도 않고 목요일이라고
대답했다. 목요일에는 언제나 셔츠가 많다고, 사람들이 금요일에 중요한 약속을 잡기 때문이라고 했다. 그 말을 들은 뒤로 나는
거리에서 다림질이 잘된 셔츠를 볼 때마다 내일 그 사람에게 어떤 일이 생길지 상상하는 버릇이 생겼다. 대부분은 평범한
저녁 식사일 것이고, 가끔은 오래 미뤄 둔 고백이거나 어려운 작별일 것이다.
"""

ARABIC = """\
كان المقهى الصغير في آخر الشارع يفتح أبوابه قبل الفجر بقليل، حين لا يكون في الطريق سوى باعة الخبز وسائقي الحافلات.
يجلس الرجال حول الطاولات الخشبية ويتحدثون عن الطقس وأسعار الخضار ونتائج المباريات، ثم يصمتون فجأة عندما يبدأ المذياع
بقراءة الأخبار. كان صاحب المقهى يحفظ طلبات الجميع عن ظهر قلب، ولا يسأل أحدا عما يريد، فإذا دخل غريب وقف أمامه لحظة
كأنه يقرأ وجهه، ثم أحضر له كوبا من الشاي بالنعناع دون أن يقول شيئا. وقد قال لي ذات صباح إن الناس لا يأتون من أجل
القهوة، بل لأنهم يريدون أن يبدأ يومهم في مكان يعرف أسماءهم.
"""

HINDI = """\
स्टेशन के बाहर चाय की दुकान पर हमेशा भीड़ रहती थी, लेकिन उस दिन वहाँ केवल एक बूढ़ा आदमी बैठा अख़बार पढ़ रहा था। मैंने उससे पूछा कि
शहर जाने वाली बस कब आएगी, तो उसने घड़ी की ओर देखे बिना कहा कि बारिश के बाद। थोड़ी देर में सचमुच बारिश होने लगी और हम दोनों
दुकान की टूटी छत के नीचे खड़े होकर पानी को सड़क पर बहते हुए देखते रहे। जब बस आई तो वह हँसा और बोला कि इस शहर में हर चीज़
अपने समय पर आती है, बस हमें उसका समय मालूम नहीं होता।
"""

PYTHON = '''\
class RateWindow:
    """Counts what happened within the last `seconds`, without keeping a time for each event."""

    def __init__(self, seconds: float, buckets: int = 12) -> None:
        if seconds <= 0 or buckets < 1:
            raise ValueError(f"a window needs a length, not {seconds!r} in {buckets} parts")
        self._width_s = seconds / buckets
        self._counts = [0] * buckets
        self._latest = 0

    def add(self, now_s: float, amount: int = 1) -> None:
        self._turn(int(now_s / self._width_s))
        self._counts[self._latest % len(self._counts)] += amount

    def total(self, now_s: float) -> int:
        self._turn(int(now_s / self._width_s))
        return sum(self._counts)

    def _turn(self, bucket: int) -> None:
        for step in range(self._latest + 1, min(bucket, self._latest + len(self._counts)) + 1):
            self._counts[step % len(self._counts)] = 0
        self._latest = max(self._latest, bucket)
'''

JAVASCRIPT = """\
export async function loadOrders(customerId, { signal, pageSize = 50 } = {}) {
  const orders = [];
  let cursor = null;
  do {
    const url = new URL(`/api/customers/${encodeURIComponent(customerId)}/orders`, window.location.origin);
    url.searchParams.set("limit", String(pageSize));
    if (cursor !== null) url.searchParams.set("after", cursor);
    const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
    if (!response.ok) {
      throw new OrderLoadError(`The server answered ${response.status}`, { cause: await response.text() });
    }
    const { items, next } = await response.json();
    orders.push(...items.filter((item) => item.state !== "cancelled").map(toOrder));
    cursor = next ?? null;
  } while (cursor !== null);
  return orders.sort((a, b) => b.createdAt - a.createdAt);
}
"""

_PEOPLE: Final = [
    {
        "id": 4100 + 37 * number,
        "name": name,
        "email": f"{name.split()[0].lower()}@example.com",
        "roles": ["editor", "reviewer"][: 1 + number % 2],
        "address": {"street": f"{12 + number} Harbour Road", "postalCode": f"{20457 + 811 * number}", "country": "SE"},
        "lastLoginAt": f"2026-03-{10 + number}T08:1{number}:00Z",
        "isActive": number != 2,
        "score": round(71.25 + 3.5 * number, 2),
    }
    for number, name in enumerate(["Ida Lindqvist", "Marcus Obi", "Priya Raman", "Tomas Varga", "Lena Fischer"])
]
JSON = json.dumps({"users": _PEOPLE, "total": 5, "nextCursor": None})
JSON_INDENTED = json.dumps({"users": _PEOPLE, "total": 5, "nextCursor": None}, indent=2)

EMOJI = """\
🎉 Release day!! 🚀🚀 Huge thanks to everyone who tested the beta 🙏 especially @nora & @tim 💪
What's new: ✅ dark mode 🌙, ✅ faster sync ⚡, ❌ no more random logouts 😅 (sorry about those…)
If something breaks → ping us 🐛👉 #support ❤️ We read every message, promise 😊👍 Have a great weekend 🏖️☀️
Lots of you asked about the mobile app 📱: it's coming, we're at 80 % 🔧 and the team is already dreaming in pixels 🤯😂
"""

_RANDOM: Final = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(24))
BASE64 = base64.b64encode(_RANDOM).decode()
HEX = "\n".join(hashlib.sha256(bytes([number, 7])).hexdigest() for number in range(16))

LOG = "\n".join(
    f"2026-03-1{number % 10} 07:{10 + number}:{59 - number},{113 * number % 1000:03d} {level} [worker-{number % 4}]"
    f" app.orders: {what} order=88{number:02d}{number * 13 % 97:02d} took={number * 17.3:.1f}ms"
    f" from=10.0.{number}.{200 - number}"
    for number, (level, what) in enumerate(
        [("INFO", "accepted"), ("DEBUG", "priced"), ("WARNING", "retrying payment for"), ("ERROR", "gave up on")] * 5
    )
)

NUMBERS = "\n".join(
    ",".join(f"{(line * 7919 + column * 104729) % 100000 / 10 ** (column % 4):.{column % 4}f}" for column in range(8))
    for line in range(24)
)

MARKDOWN = """\
# Moving a table without downtime

1. **Create** the new table beside the old one, with the same columns plus `migrated_at`.
2. Write to *both*; read from the old one. See [the helper](https://example.com/docs/dual-write#setup).
3. Copy what is missing, in batches:

   ```sql
   INSERT INTO orders_v2 SELECT *, now() FROM orders WHERE id > :last ORDER BY id LIMIT 1000;
   ```

| step | locks | can be undone |
| --- | --- | --- |
| dual write | none | yes |
| backfill | row | yes |
| switch reads | none | yes, for a day |
| drop | table | **no** |

> Do not drop the old table on a Friday. Somebody always needs it on Saturday.
"""

TEXTS: Final = (
    Counted("English prose", ENGLISH, 176, 183),
    Counted("German", GERMAN, 192, 262),
    Counted("French", FRENCH, 169, 220),
    Counted("Spanish", SPANISH, 140, 178),
    Counted("Russian", RUSSIAN, 196, 357),
    Counted("Chinese, simplified", CHINESE, 233, 314),
    Counted("Chinese, traditional", TRADITIONAL, 155, 220),
    Counted("Japanese", JAPANESE, 223, 286),
    Counted("Korean", KOREAN, 193, 357),
    Counted("Arabic", ARABIC, 173, 490),
    Counted("Hindi", HINDI, 134, 465),
    Counted("Python", PYTHON, 260, 270),
    Counted("JavaScript", JAVASCRIPT, 205, 232),
    Counted("JSON", JSON, 469, 466),
    Counted("JSON, indented", JSON_INDENTED, 589, 581),
    Counted("Markdown with tables", MARKDOWN, 174, 189),
    Counted("Emoji and English", EMOJI, 125, 152),
    Counted("Base64", BASE64, 700, 730),
    Counted("Hexadecimal", HEX, 610, 619),
    Counted("Log lines", LOG, 904, 925),
    Counted("Numbers", NUMBERS, 762, 761),
)
