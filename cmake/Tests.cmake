# SPDX-License-Identifier: GPL-2.0-or-later
# The suites, each with its label: ctest --test-dir build/cmake -L qtest -V. Each leaves reports (JUnit, trx) in
# build/test/reports/LABEL, which './vhost-pci test' adds up. Options for pytest go into PYTEST_ADDOPTS.
enable_testing()
set(reports "${VHOST_PCI_OUT}/test/reports")

function(suite label name)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    # Each test has its own limits.
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 86400)
endfunction()

suite(unit forget-coverage "${CMAKE_COMMAND}" -E rm -rf "${reports}/unit")
suite(unit managed dotnet test VhostPciPlugin.sln -nodeReuse:false -p:UseSharedCompilation=false
    --collect "XPlat Code Coverage\\;Format=json" --results-directory "${reports}/unit")
suite(unit coverage "${VHOST_PCI_TOOLS}/coverage" --least 95 VhostPci.Protocol VhostPci.Device -- "${reports}/unit")

file(MAKE_DIRECTORY "${reports}/driver")
suite(driver driver make -C tests/driver "BUILD=${VHOST_PCI_OUT}/test/driver" "REPORT=${reports}/driver/driver.xml" check)

foreach(folder fuzz bench qtest machine e2e frontends)
    suite(${folder} ${folder} /usr/bin/python3 -m pytest -v -ra -p no:cacheprovider
        "--junitxml=${reports}/${folder}/${folder}.xml" tests/${folder})
    set_tests_properties(${folder} PROPERTIES ENVIRONMENT "PYTHONPATH=${CMAKE_SOURCE_DIR}/tests")
endforeach()
# -k is for the others: these take seconds.
set_property(TEST bench driver APPEND PROPERTY ENVIRONMENT "PYTEST_ADDOPTS=")
