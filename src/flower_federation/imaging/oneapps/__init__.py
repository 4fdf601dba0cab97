"""The appliance as a folder of OpenNebula's community marketplace, built with one-apps. It builds and uploads nothing.

    settings    what only this form of the appliance has: Ubuntu's release, packages, what of the overlay it leaves out
    variables   context variables, from the table in docs/architecture.md
    marketplace documents of image, VM template and service template
    testing     documents for the marketplace's own tests
    pages       README.md and CHANGELOG.md
    publication the facts of one publication: where the image lies, its checksums, who publishes
    folder      everything together, as files

Whatever the code knows already (versions, ports, variables, users, units, packages) is taken from there.
"""
