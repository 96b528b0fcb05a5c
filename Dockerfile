# The operator and nothing else. Its build context is bin/image, which `make image` fills.
FROM scratch
COPY manager /manager
# By number: there is no /etc/passwd, and a pod with runAsNonRoot needs to see that it is not root.
USER 65532:65532
ENTRYPOINT ["/manager"]
