"""The words of what many visitors share: limits, the queue, links for spectators."""

# key: (English, Japanese). Braces are filled by `text.say`; a widget's text has none.
WORDS = {
    "limit.training": (
        "On this shared machine a run takes up to {minutes} {minutes:minute|minutes}, {parameters} million parameters and {tokens} tokens "
        "a step (batch size × context length); you can keep {runs} {runs:run|runs}. At most {line} {line:waits|wait} at the same time.",
        "この共用マシンでは、1回の学習は最長 {minutes} 分、最大 {parameters} 百万パラメータ、1ステップ {tokens} トークン"
        "(バッチサイズ × 文脈長)まで、保存できる学習は {runs} 件までです。順番待ちは全員で {line} 件までです。",
    ),
    "limit.writing": (
        "Up to {tokens} new {tokens:token|tokens} at a time, over all samples; {writings} at once.",
        "一度に生成できるのは全サンプル合わせて {tokens} トークンまで、同時に {writings} 件までです。",
    ),
    "limit.texts": (
        "Up to {size} MB at a time, {disk} MB in a day, and {disk} MB for all that is yours here; "
        "{free} MB of the machine's disk always stay free.",
        "一度に {size} MB、1日に {disk} MB まで。ここに置けるものも合計 {disk} MB までです。"
        "マシンのディスクには常に {free} MB の空きを残します。",
    ),
    "limit.fetching": (
        "Up to {most} GB, the weights in one file, each file of settings up to {small} MB; {free} GB of the disk stay free.",
        "合計 {most} GB まで。重みは一つのファイル、設定などのファイルはそれぞれ {small} MB までです。"
        "ディスクには {free} GB の空きを残します。",
    ),
    "limit.fetching_shared": (
        "Up to {most} MB with all else that is yours here, the weights in one file, each file of settings up to {small} MB; "
        "{free} MB of the machine's disk stay free.",
        "ここに置いてあるものと合わせて {most} MB まで。重みは一つのファイル、設定などのファイルはそれぞれ {small} MB までです。"
        "マシンのディスクには {free} MB の空きを残します。",
    ),
    "limit.keeping": (
        "{used} of {most} MB yours · removed after {days} {days:day|days} without a visit, unless pinned",
        "使用量 {used} / {most} MB・{days}日間訪問がないと削除されます(ピン留めを除く)",
    ),
    "limit.minutes": (
        "minutes={asked} is longer than one visitor may train here; use at most {most}, or 0 and let steps decide",
        "minutes={asked} は一人あたりの上限を超えています。{most} 以下にするか、0 にしてステップ数に任せてください",
    ),
    "limit.batch_tokens": (
        "batch size × context length = {asked} tokens is more than one visitor may use here; keep it at most {most}",
        "バッチサイズ × 文脈長 = {asked} トークンは一人あたりの上限を超えています。{most} 以下にしてください",
    ),
    "limit.parameters": (
        "this model has up to {asked} parameters, and one visitor may train {most} here; "
        "use fewer layers, a smaller width or a smaller vocabulary",
        "このモデルは最大 {asked} パラメータで、一人あたりの上限 {most} を超えています。"
        "層、幅、語彙のどれかを小さくしてください",
    ),
    "limit.new_tokens": (
        "{asked} tokens are more than one visitor may ask for at once here; use at most {most} over all samples",
        "一度に {asked} トークンは一人あたりの上限を超えています。全サンプルの合計を {most} 以下にしてください",
    ),
    "limit.writings": (
        "You are having {most} texts written already; wait until they are there, or stop them",
        "すでに {most} 件を生成中です。終わるのを待つか、停止してください",
    ),
    "limit.runs": (
        "You have {most} {most:run|runs}, as many as one visitor can keep here; delete one in the library first",
        "学習は一人 {most} 件まで保存できます。先にライブラリから一つ削除してください",
    ),
    "limit.line": (
        "{most} trainings wait already, as many as may; wait until some have had their turn, and press again",
        "すでに {most} 件が順番待ちで、これ以上は並べません。少し待って、もう一度押してください",
    ),
    "limit.machine": (
        "The disk of this shared machine is nearly full; wait until old runs have been cleared away, or use a machine of your own",
        "この共用マシンのディスクに空きがほとんどありません。古い学習が片付くまで待つか、手元のマシンで使ってください",
    ),
    "limit.disk": (
        "{used} MB of your {most} MB are used, and this does not fit any more; delete a run in the library first",
        "{most} MB のうち {used} MB を使用中で、これ以上入りません。先にライブラリから学習を削除してください",
    ),
    "visitor.no_cookie": (
        "This page tells its visitors apart by a cookie, and your browser keeps none here. "
        "Allow cookies, or open the page in a window of its own.",
        "このページはクッキーで訪問者を区別していますが、ブラウザーが保存していません。"
        "クッキーを許可するか、ページを独立したウィンドウで開いてください。",
    ),
    "visitor.no_link": (
        "This link shows nothing any more: its run was deleted, or is no longer shown.",
        "このリンクの学習は、削除されたか公開が終わっています。",
    ),
    "guest.gone": ("This link shows nothing any more", "このリンクからは、もう何も見られません"),
    "guest.gone_about": (
        "The training it led to was deleted, or whoever trained it has stopped showing it.",
        "リンク先の学習は削除されたか、公開が終わっています。",
    ),
    "guest.gone_own": ("Train a model of your own", "自分のモデルを学習する"),
    "guest.only_look": (
        "You are looking at a run that someone shows you, live: its curve and what it writes. Its text, its model and "
        "what is inside stay with them. <a>Train one of your own</a>, and everything is open to you.",
        "公開された学習を見ています。曲線と書いた文を、その場で見られます。元のテキストとモデル、その中身は、学習した本人だけのものです。"
        "<a>自分でも学習する</a>と、すべて使えます。",
    ),
    "guest.show": ("Let others watch this run", "この学習を公開する"),
    "guest.hide": ("Stop showing it", "公開をやめる"),
    "guest.link": (
        "Whoever has this link sees the curve and the samples, live, and can change nothing:",
        "このリンクを知っている人は、曲線と文をその場で見られます。操作はできません。",
    ),
    "guest.hidden": ("Links to this run show nothing any more.", "この学習のリンクは無効になりました。"),
    "guest.waiting": (
        "Waiting: number {position} in the line; it begins in {time} at the latest. You can close the page meanwhile.",
        "順番待ち: {position} 番目。遅くとも {time} 後にはじまります。ページを閉じても順番は残ります。",
    ),
    "guest.next": ("Its turn has come: it begins.", "順番が来ました。まもなくはじまります。"),
    "state.waiting": ("waiting", "順番待ち"),
    "limit.upload": (
        "{asked} MB are more than one visitor may bring at a time here; cut the text to at most {most} MB",
        "{asked} MB は一度に持ち込める量を超えています。{most} MB 以下に分けてください",
    ),
}
