"""What the operating system and Python say inside our messages, in Japanese: {English template: Japanese}.

Of errno(3) what a disk, a file or a network can answer; of `json` what a damaged file brings.
"""

ROWS = {
    "No such file or directory": "ファイルやフォルダがありません",
    "Permission denied": "権限がありません",
    "Operation not permitted": "許可されていない操作です",
    "No space left on device": "ディスクに空きがありません",
    "Disk quota exceeded": "ディスクの割り当てを超えました",
    "Read-only file system": "読み取り専用です",
    "Is a directory": "フォルダです",
    "Not a directory": "フォルダではありません",
    "File exists": "すでにあります",
    "Directory not empty": "フォルダが空ではありません",
    "File name too long": "名前が長すぎます",
    "File too large": "ファイルが大きすぎます",
    "Too many open files": "開いているファイルが多すぎます",
    "Input/output error": "入出力エラー",
    "Device or resource busy": "使用中です",
    "Invalid argument": "値が正しくありません",
    "Connection refused": "接続を拒否されました",
    "Connection reset by peer": "接続が切られました",
    "Network is unreachable": "ネットワークにつながりません",
    "No route to host": "相手に届きません",
    "Name or service not known": "サーバー名が見つかりません",
    "Temporary failure in name resolution": "サーバー名を調べられません",
    "timed out": "時間切れ",
    "The read operation timed out": "時間切れ",
    "[Errno {same}] {words}": "{words}",
    "[Errno {same}] {words}: {path}": "{words}: {path}",
    "HTTP Error {n}: {words}": "HTTP エラー {n}: {words}",
    "Expecting value": "値がありません",
    "Extra data": "余分なデータがあります",
    "Expecting property name enclosed in double quotes": '" で囲んだ名前がありません',
    "Expecting ',' delimiter": "コンマがありません",
    "Expecting ':' delimiter": "コロンがありません",
    "Unterminated string starting at": "文字列が閉じていません",
    "Invalid control character at": "使えない制御文字があります",
    "{why}: line {line} column {column} (char {same})": "{why}({line} 行 {column} 文字目)",
    "incomplete metadata, file not fully covered": "途中で切れています",
    # What `lm.tensors` puts together, which a shorter sentence would fit too.
    "cannot read {path}: {why}; the file is damaged: restore it from a copy": (
        "{path} を読めません({why})。ファイルが壊れています。控えから戻してください"
    ),
    "cannot read {path}: {why}; check its permissions": "{path} を読めません({why})。権限を確かめてください",
    "Error while deserializing header: {why}": "ヘッダを読み取れません: {why}",
}
