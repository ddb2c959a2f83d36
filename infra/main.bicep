// One Baton cluster: its control plane and its storage. First form; what is not here yet is listed in docs/deployment.md.
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the azd environment; the resource group is named after it.')
param environmentName string

@description('Region of everything. The other cluster of a disaster-recovery pair belongs in another one.')
param location string

@minLength(1)
@maxLength(63)
@description('Id of the cluster, as it stands in the replicate configuration.')
param clusterId string

@secure()
@minLength(16)
@description('What nodes ask of the control plane. Kept in Key Vault.')
param clusterSecret string

var tags = { 'azd-env-name': environmentName, 'baton-cluster': clusterId }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module cluster 'cluster.bicep' = {
  name: 'cluster'
  scope: group
  params: {
    location: location
    tags: tags
    clusterId: clusterId
    clusterSecret: clusterSecret
  }
}

output AZURE_KEY_VAULT_NAME string = cluster.outputs.keyVaultName
output BATON_CONTROL_PLANE_URL string = cluster.outputs.controlPlaneUrl
