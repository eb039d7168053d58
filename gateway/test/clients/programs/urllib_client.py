# Python's urllib: METHOD URL ..., body from BODY_FILE; the answers' bodies on standard output, their status on standard error.
import os
import sys
import urllib.error
import urllib.request

method, urls = sys.argv[1], sys.argv[2:]
body_file = os.environ.get("BODY_FILE")
for url in urls:
    body = open(body_file, "rb").read() if body_file else None
    headers = {"Authorization": "Bearer " + os.environ["DEMO_API_KEY"]}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        response = error
    while chunk := response.read1(65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    print("status", response.status, file=sys.stderr)
