# SPDX-License-Identifier: Apache-2.0
# Role of the smoke job's guest: shows that user space runs. It must not need any module.
echo "hello from $(uname -r), $(nproc) CPU"
