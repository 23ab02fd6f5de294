# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's REST API and the server it runs in. Routes translate, and nothing else."""
