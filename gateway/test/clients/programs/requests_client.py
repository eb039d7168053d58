# Python's requests: METHOD URL ..., body from BODY_FILE; the answers' bodies on standard output, their status on standard error.
import os
import sys

import requests

method, urls = sys.argv[1], sys.argv[2:]
body_file = os.environ.get("BODY_FILE")
session = requests.Session()
for url in urls:
    body = open(body_file, "rb").read() if body_file else None
    headers = {"Authorization": "Bearer " + os.environ["DEMO_API_KEY"]}
    response = session.request(method, url, data=body, headers=headers, stream=True)
    for chunk in response.iter_content(None):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    print("status", response.status_code, file=sys.stderr)
